"""A local SageMaker: training jobs, models and batch transforms that run the DeepAR program."""
