"""Collective operations of the processes of one fit; every process has to call them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional

from harness.utils.errors import FramelightError


def all_gather(tensor: Tensor, world_size: int) -> Tensor:
    """Stack the tensors of all processes to [world_size, *shape]; their shapes must be equal."""
    gathered = [torch.empty_like(tensor) for _ in range(world_size)]
    distributed.all_gather(gathered, tensor.contiguous())
    return torch.stack(gathered)


def mean_loss(total: Tensor, rows: int, world_size: int) -> float:
    """Compute the mean loss per row, over the rows of all processes.

    Parameters
    ----------
    total : Tensor
        Sum of the losses of this process's rows.
    rows : int
        Number of these rows; the same in every process.
    world_size : int

    Raises
    ------
    FramelightError
        If the processes had different numbers of rows.
    """
    if world_size == 1:
        return total.item() / max(rows, 1)
    counts = all_gather(torch.tensor(rows, device=total.device), world_size).tolist()
    if len(set(counts)) > 1:
        raise FramelightError(
            f"the processes received {counts} rows in an epoch; choose a batch size that is a "
            f"multiple of {world_size}, and drop an incomplete last batch"
        )
    return all_gather(total, world_size).sum().item() / max(sum(counts), 1)


def gather_in_order(rows: Tensor, world_size: int, device: torch.device) -> Tensor:
    """Gather the rows of all processes in their original order.

    Parameters
    ----------
    rows : Tensor of shape (n, C)
        The rows of this process. The process with rank `index` holds rows `index::world_size` of all rows.
    world_size : int
    device : torch.device
        Device on which the processes exchange tensors.

    Returns
    -------
    Tensor of shape (N, C)
        All rows, on the CPU if there are several processes.
    """
    if world_size == 1:
        return rows
    counts = all_gather(torch.tensor(len(rows), device=device), world_size).tolist()
    padded = functional.pad(rows.to(device), (0, 0, 0, max(counts) - len(rows)))
    return all_gather(padded, world_size).transpose(0, 1).reshape(-1, rows.shape[1])[: sum(counts)].cpu()


def broadcast_from_rank_zero(tensors: Iterable[Tensor], world_size: int) -> None:
    """Overwrite the tensors of every process in place with the tensors of rank zero."""
    for tensor in tensors if world_size > 1 else ():
        distributed.broadcast(tensor, 0)


def broadcast_buffers(module: nn.Module, averages: Mapping[str, Tensor], world_size: int) -> None:
    """Overwrite the module's buffers, and their exponential moving averages, with the values of rank zero.

    Otherwise the buffers would differ, as each process updates the running statistics of batch norm from its own rows.
    """
    buffers = dict(module.named_buffers())
    broadcast_from_rank_zero([*buffers.values(), *(averages[name] for name in averages if name in buffers)], world_size)
