"""What the processes of one training tell each other; each function is called by all of them."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, distributed
from torch.nn import functional

from harness.utils.errors import FramelightError


def all_gather(mine: Tensor, of: int) -> Tensor:
    """[*shape], the same everywhere -> [of, *shape]."""
    every = [torch.empty_like(mine) for _ in range(of)]
    distributed.all_gather(every, mine.contiguous())
    return torch.stack(every)


def mean_loss(total: Tensor, rows: int, of: int) -> float:
    """Total loss and rows of this process's batches -> loss of a row, over all processes."""
    if of == 1:
        return total.item() / max(rows, 1)
    counts = all_gather(torch.tensor(rows, device=total.device), of).tolist()
    if len(set(counts)) > 1:
        raise FramelightError(
            f"the processes were given {counts} rows in an epoch; choose a batch size that is a "
            f"multiple of {of}, and leave an incomplete last batch out"
        )
    return all_gather(total, of).sum().item() / max(sum(counts), 1)


def gather_in_order(mine: Tensor, of: int, device: torch.device) -> Tensor:
    """[n, C], this process's rows index::of -> [N, C], all rows. device: where processes exchange tensors."""
    if of == 1:
        return mine
    counts = all_gather(torch.tensor(len(mine), device=device), of).tolist()
    padded = functional.pad(mine.to(device), (0, 0, 0, max(counts) - len(mine)))
    return all_gather(padded, of).transpose(0, 1).reshape(-1, mine.shape[1])[: sum(counts)].cpu()


def broadcast_from_rank_zero(tensors: Iterable[Tensor], of: int) -> None:
    """Every process gets the first one's values, in place."""
    for tensor in tensors if of > 1 else ():
        distributed.broadcast(tensor, 0)
