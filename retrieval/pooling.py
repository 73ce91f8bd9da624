"""Token vectors to text vectors, on torch tensors of any device."""

import torch

from schemas.encoder import Pooling

# B = texts of a batch, T = padded tokens, D = dimension


def pool(hidden_BTD: torch.Tensor, mask_BT: torch.Tensor, pooling: Pooling) -> torch.Tensor:
    """Return (B, D) text vectors in float32.

    `cls` takes the first token, `mean` averages over real tokens, `last` takes the last real token, whichever side
    is padded.
    """
    if pooling == "cls":
        return hidden_BTD[:, 0].float()
    if pooling == "mean":
        # A product reads the token vectors once, and writes nothing of their size.
        weights_B1T = mask_BT.unsqueeze(1).float()
        return (weights_B1T @ hidden_BTD.float()).squeeze(1) / weights_B1T.sum(2).clamp(min=1)
    positions = torch.arange(mask_BT.shape[1], device=mask_BT.device)
    last_B = (mask_BT * positions).argmax(1)
    return hidden_BTD[torch.arange(len(last_B), device=last_B.device), last_B].float()


def unit(vectors: torch.Tensor) -> torch.Tensor:
    """Scale vectors (…, D) to length 1."""
    return torch.nn.functional.normalize(vectors, dim=-1)
