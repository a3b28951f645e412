"""The DeepAR training and transform program, under SageMaker's container contract."""
