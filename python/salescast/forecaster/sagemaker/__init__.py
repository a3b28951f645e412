"""DeepAR on SageMaker: training and batch transform through its API."""
