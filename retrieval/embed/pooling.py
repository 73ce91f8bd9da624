"""Token vectors to text vectors, on torch tensors of any device."""

from dataclasses import dataclass

import torch

from schemas.encoder import Pooling

# B = texts of a batch, T = padded tokens, D = dimension


@dataclass(frozen=True)
class TextVectors:
    """The way from a model's token vectors (B, T, D) and mask (B, T) to text vectors (B, D)."""

    pooling: Pooling
    normalize: bool

    def __call__(self, hidden_BTD: torch.Tensor, mask_BT: torch.Tensor) -> torch.Tensor:
        """Return text vectors (B, D) in float32, scaled if this normalises."""
        return self.scale(pool(hidden_BTD, mask_BT, self.pooling))

    def scale(self, pooled_BD: torch.Tensor) -> torch.Tensor:
        """Scale pooled vectors to length 1, or leave them: what is left to do where the model pools."""
        return unit(pooled_BD) if self.normalize else pooled_BD


def pool(hidden_BTD: torch.Tensor, mask_BT: torch.Tensor, pooling: Pooling) -> torch.Tensor:
    """Return (B, D) text vectors in float32, or float64 where the token vectors are.

    `cls` takes the first token, `mean` averages over real tokens, `last` takes the last real token, whichever side
    is padded.
    """
    dtype = torch.promote_types(hidden_BTD.dtype, torch.float32)
    if pooling == "cls":
        return hidden_BTD[:, 0].to(dtype)
    if pooling == "mean":
        # A product reads the token vectors once, and writes nothing of their size.
        weights_B1T = mask_BT.unsqueeze(1).to(dtype)
        return (weights_B1T @ hidden_BTD.to(dtype)).squeeze(1) / weights_B1T.sum(2).clamp(min=1)
    positions = torch.arange(mask_BT.shape[1], device=mask_BT.device)
    last_B11 = (mask_BT * positions).argmax(1)[:, None, None]
    return hidden_BTD.gather(1, last_B11.expand(-1, 1, hidden_BTD.shape[2])).squeeze(1).to(dtype)


def unit(vectors: torch.Tensor) -> torch.Tensor:
    """Scale vectors (…, D) to length 1."""
    return torch.nn.functional.normalize(vectors, dim=-1)
