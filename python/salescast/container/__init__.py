"""The training and transform program, under SageMaker's container contract.

The image holds this folder and nothing else of salescast, so nothing in it imports anything else.
"""
