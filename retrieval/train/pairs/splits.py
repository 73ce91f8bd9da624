"""On which side an article is, of what is trained on and what is held out."""

import numpy as np

from retrieval.articles.pmids import mixed
from schemas.arrays import Mask, Pmids

HASHED = 2.0**64


def held_out(pmids: Pmids, share: float) -> Mask:
    """Return which articles are held out: a PMID is on the same side for ever, given the share.

    pmids: those of `EqualTexts.first`, so that equal texts are on one side.
    """
    return mixed(pmids) < np.uint64(min(share * HASHED, HASHED - 2048))
