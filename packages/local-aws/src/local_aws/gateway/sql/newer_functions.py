"""Functions that Trino 476 has and the engine of Athena version 3 has not.

The engine follows Trino up to about release 414. Source: Trino's release notes
(https://trino.io/docs/current/release.html), where these are named as added later, compared with
what SHOW FUNCTIONS lists on Trino 476. Functions that got only a new signature, as
`cosine_similarity` of two arrays in 465, cannot be told by their names and are not here.
"""

# Name: the release that brought it.
NEWER_FUNCTIONS = {
    "any_value": 420,
    "array_histogram": 419,
    "bitwise_xor_agg": 447,
    "cosine_distance": 452,
    "dot_product": 452,
    "euclidean_distance": 452,
    "json_table": 435,
    "st_geomfromkml": 469,
    "t_cdf": 453,
    "t_pdf": 453,
    "timezone": 463,
}
