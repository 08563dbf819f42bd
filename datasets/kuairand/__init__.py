"""Converts KuaiRand-Pure, a public log of a short-video feed, to a feed log with history features.

The data: Gao et al., "KuaiRand: An Unbiased Sequential Recommendation Dataset with Randomly Exposed Videos", CIKM 2022.
"""
