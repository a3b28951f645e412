"""Fit the networks of a model, several at once in processes of their own."""

from __future__ import annotations

import math
import multiprocessing
import multiprocessing.connection
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection

import numpy as np
import torch

from salescast.container.algorithms.deepar.hyperparameters import Hyperparameters
from salescast.container.algorithms.deepar.network import (
    ModelConfig,
    TrainedModel,
    build_network,
    stock_lags,
    unroll,
)
from salescast.container.algorithms.deepar.scale import fit_category_scales
from salescast.container.algorithms.deepar.series import (
    FeatureRules,
    Float32Array,
    Windows,
    WindowSampler,
    feature_statistics,
)
from salescast.container.checks import Summary
from salescast.container.errors import ContractError
from salescast.container.paths import HOST
from salescast.container.records import FloatArray, Record

WEIGHT_DECAY = 1e-8
PLATEAU_FACTOR = 0.5
PLATEAU_PATIENCE = 10
BETA_MARGIN = 1e-6
LARGEST_TARGET = 1e30


def fit(records: Sequence[Record], settings: Hyperparameters, summary: Summary) -> TrainedModel:
    """Train a model on checked records; their order does not matter.

    Raises:
        ContractError: A target does not suit the likelihood, or training diverges.
    """
    job = make_job(records, settings, summary)
    log = _Log(settings, job.n_batches)
    if settings.ensemble_size == 1:
        members = [_fit_member(job, 0, lambda epoch, loss: log.add(0, epoch, loss))]
    else:
        members = _fit_together(job, log)
    log.finish(members)
    networks = []
    for member in members:
        network = build_network(job.config)
        network.load_state_dict(
            {name: torch.from_numpy(value) for name, value in member.weights.items()}
        )
        networks.append(network.double().eval())
    return TrainedModel(job.config, tuple(networks))


@dataclass(frozen=True)
class Job:
    """What every network of a model is fitted from."""

    config: ModelConfig
    sampler: WindowSampler
    n_batches: int


def make_job(records: Sequence[Record], settings: Hyperparameters, summary: Summary) -> Job:
    """Choose and order the series that can train and prepare their windows.

    Raises:
        ContractError: A target does not suit the likelihood.
    """
    usable = sorted(
        (r for r in records if len(r.target) >= settings.prediction_length and r.n_observed),
        key=Record.content_hash,
    )
    _check_support(usable, settings.likelihood)
    config = _configure(usable, settings, summary)
    sampler = WindowSampler(
        usable,
        config.rules,
        use_cat=bool(config.cardinality),
        context_length=settings.context_length,
        past_length=config.past_length,
        window=settings.training_window,
        weights=_weights(usable, settings.sampling),
        category_scales=config.category_scales,
    )
    n_batches = settings.num_batches_per_epoch or max(
        10, math.ceil(len(usable) / settings.mini_batch_size)
    )
    return Job(config, sampler, n_batches)


def _check_support(records: Sequence[Record], likelihood: str) -> None:
    for record in records:
        values = record.target[~np.isnan(record.target)]
        if (np.abs(values) > LARGEST_TARGET).any():
            raise ContractError(f"{record.where}: target holds a value beyond {LARGEST_TARGET:g}")
        if likelihood == "beta" and ((values < 0) | (values > 1)).any():
            raise ContractError(f"{record.where}: target leaves [0, 1], likelihood is beta")
        if likelihood == "negative-binomial" and ((values < 0) | (values % 1 != 0)).any():
            raise ContractError(
                f"{record.where}: target has negative or fractional values, "
                f"likelihood is negative-binomial"
            )


def _configure(
    records: Sequence[Record], settings: Hyperparameters, summary: Summary
) -> ModelConfig:
    means: tuple[float, ...] = ()
    scales: tuple[float, ...] = ()
    if summary.num_dynamic_feat:
        means, scales = feature_statistics(records)
    categories = fit_category_scales(records, summary.cardinality, settings.context_length)
    return ModelConfig(
        hyperparameters=settings,
        cardinality=summary.cardinality,
        ignores_cat=settings.cardinality == "ignore",
        ignores_dynamic_feat=settings.num_dynamic_feat == "ignore",
        weekday=summary.weekday,
        default_scale=categories.overall,
        category_factors=categories.factors,
        lags=settings.lags or stock_lags(settings.time_freq),
        rules=FeatureRules(
            time_freq=settings.time_freq,
            use_time_features=settings.time_features == "stock",
            use_age=settings.age_feature,
            means=means,
            scales=scales,
        ),
    )


def _weights(records: Sequence[Record], sampling: str) -> FloatArray:
    if sampling == "uniform":
        return np.ones(len(records))
    means = np.array([np.nanmean(np.abs(record.target)) for record in records])
    # A series of zeros is still drawn now and then.
    return np.asarray(np.sqrt(np.maximum(means, 1e-4 * means.max())))


@dataclass(frozen=True)
class _Member:
    """One fitted network."""

    loss: float
    epoch: int
    weights: dict[str, Float32Array]


class _Log:
    """Writes an epoch's lines once every network has finished it."""

    def __init__(self, settings: Hyperparameters, n_batches: int) -> None:
        self._settings = settings
        self._records = n_batches * settings.mini_batch_size * settings.ensemble_size
        self._losses: list[dict[int, float]] = [{} for _ in range(settings.ensemble_size)]
        self._n_shown = 0
        self._since = time.monotonic()

    def add(self, member: int, epoch: int, loss: float) -> None:
        self._losses[member][epoch] = loss
        if all(self._n_shown in losses for losses in self._losses):
            self._show()

    def _show(self) -> None:
        epoch = self._n_shown
        loss = float(np.mean([losses[epoch] for losses in self._losses]))
        completed = math.floor(100 * (epoch + 1) / self._settings.epochs)
        now = time.monotonic()
        throughput = self._records / max(now - self._since, 1e-9)
        print(f"#quality_metric: host={HOST}, epoch={epoch}, train loss <loss>={loss}")
        print(f"#progress_metric: host={HOST}, completed {completed} %")
        print(
            f"#throughput_metric: host={HOST}, train throughput={throughput} records/second",
            flush=True,
        )
        self._n_shown, self._since = epoch + 1, now

    def finish(self, members: Sequence[_Member]) -> None:
        loss = float(np.mean([member.loss for member in members]))
        epochs = ", ".join(str(member.epoch) for member in members)
        print(f"Final loss: {loss} (occurred at epoch {epochs})")
        print(f"#quality_metric: host={HOST}, train final_loss <loss>={loss}", flush=True)


def _fit_together(job: Job, log: _Log) -> list[_Member]:
    """Fit every network in a process of its own, the threads shared out among them.

    The arithmetic of one small network hardly gains from a second thread.
    """
    n_members = job.config.hyperparameters.ensemble_size
    n_threads = max(1, torch.get_num_threads() // n_members)
    # A forked child would inherit torch's thread pool without its threads.
    context = multiprocessing.get_context("spawn")
    processes, connections = [], []
    for member in range(n_members):
        ours, theirs = context.Pipe()
        process = context.Process(
            target=_member_process, args=(theirs, member, n_threads), daemon=True
        )
        process.start()
        theirs.close()
        processes.append(process)
        connections.append(ours)
    try:
        # Sent only now, so that the processes load their libraries side by side.
        for connection in connections:
            connection.send(job)
        return _collect(connections, log)
    finally:
        for process in processes:
            process.terminate()
            process.join()


def _collect(connections: Sequence[Connection], log: _Log) -> list[_Member]:
    members: dict[int, _Member] = {}
    while len(members) < len(connections):
        running = {
            number: connection
            for number, connection in enumerate(connections)
            if number not in members
        }
        ready = multiprocessing.connection.wait(list(running.values()))
        for number, connection in running.items():
            if connection not in ready:
                continue
            try:
                message = connection.recv()
            except EOFError:
                raise RuntimeError(f"the process of network {number} ended early") from None
            if isinstance(message, Exception):
                raise message
            if isinstance(message, _Member):
                members[number] = message
            else:
                log.add(number, *message)
    return [members[number] for number in range(len(connections))]


def _member_process(connection: Connection, member: int, n_threads: int) -> None:
    """Take the job, send (epoch, loss) while it goes, the network or the error at last."""
    torch.set_num_threads(n_threads)
    job: Job = connection.recv()
    try:
        connection.send(
            _fit_member(job, member, lambda epoch, loss: connection.send((epoch, loss)))
        )
    except ContractError as error:
        connection.send(error)
    except Exception as error:
        connection.send(RuntimeError(f"network {member}: {type(error).__name__}: {error}"))


def _fit_member(job: Job, member: int, report: Callable[[int, float], None]) -> _Member:
    """Train one network from its own random start.

    Kept are the weights of the epoch with the lowest loss, except after a complete cycle, whose
    last epoch is its best by design.

    Args:
        job: What to fit.
        member: Number of the network in the model; it decides the random numbers.
        report: Called with each epoch and its loss.
    """
    settings = job.config.hyperparameters
    trainer = _Trainer(job, member)
    best = _Member(math.inf, -1, {})
    for epoch in range(settings.epochs):
        loss = trainer.epoch()
        if not math.isfinite(loss):
            raise ContractError(
                f"training diverged in epoch {epoch}: loss is {loss}; lower learning_rate"
            )
        report(epoch, loss)
        finished = settings.lr_schedule == "one_cycle" and epoch + 1 == settings.epochs
        if loss < best.loss or finished:
            best = _Member(loss, epoch, trainer.weights())
        patience = settings.early_stopping_patience
        if patience is not None and epoch - best.epoch >= patience:
            break
    return best


class _Trainer:
    """Optimises one network on windows drawn at random."""

    def __init__(self, job: Job, member: int) -> None:
        self._settings = settings = job.config.hyperparameters
        self._sampler = job.sampler
        self._n_batches = job.n_batches
        self._generator = np.random.default_rng([settings.seed, member])
        torch.manual_seed(int(self._generator.integers(2**63)))
        # A diverging network is told by its loss; checking every batch's parameters costs time.
        torch.distributions.Distribution.set_default_validate_args(False)
        self._network = build_network(job.config).train()
        self._optimizer = torch.optim.Adam(
            self._network.parameters(), lr=settings.learning_rate, weight_decay=WEIGHT_DECAY
        )
        self._plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
            self._optimizer, factor=PLATEAU_FACTOR, patience=PLATEAU_PATIENCE
        )
        self._one_cycle = None
        if settings.lr_schedule == "one_cycle":
            self._one_cycle = torch.optim.lr_scheduler.OneCycleLR(
                self._optimizer,
                max_lr=settings.learning_rate,
                total_steps=settings.epochs * job.n_batches,
            )

    def weights(self) -> dict[str, Float32Array]:
        """A copy of the network's weights, as plain arrays that can go between processes."""
        return {name: value.numpy().copy() for name, value in self._network.state_dict().items()}

    def epoch(self) -> float:
        """Train on one epoch's batches and return their mean loss."""
        total = 0.0
        for _ in range(self._n_batches):
            windows = self._sampler.draw(self._generator, self._settings.mini_batch_size)
            loss = self._loss(windows)
            self._optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(self._network.parameters(), self._settings.gradient_clip)
            self._optimizer.step()
            if self._one_cycle is not None:
                self._one_cycle.step()
            total += loss.item()
        mean = total / self._n_batches
        if self._one_cycle is None:
            self._plateau.step(mean)
        return mean

    def _loss(self, windows: Windows) -> torch.Tensor:
        """Mean negative log-likelihood of the observed points of context and window."""
        past_target = torch.from_numpy(windows.past_target)
        future_target = torch.from_numpy(windows.future_target)
        params, scale, _, _, _ = unroll(
            self._network,
            self._settings.likelihood,
            torch.from_numpy(windows.unobserved_scale),
            feat_static_cat=torch.from_numpy(windows.cat),
            feat_static_real=torch.zeros((len(windows.cat), 1)),
            past_time_feat=torch.from_numpy(windows.past_features),
            past_target=past_target,
            past_observed_values=torch.from_numpy(windows.past_observed),
            future_time_feat=torch.from_numpy(windows.future_features),
            future_target=future_target,
        )
        n_context = self._settings.context_length - 1
        n_past = past_target.shape[1]
        target = torch.cat((past_target[:, n_past - n_context :], future_target), dim=1)
        observed = torch.from_numpy(
            np.concatenate(
                (windows.past_observed[:, n_past - n_context :], windows.future_observed), axis=1
            )
        )
        if self._settings.likelihood == "beta":
            target = target.clamp(BETA_MARGIN, 1 - BETA_MARGIN)
        losses = self._network.distr_output.loss(target, params, scale=scale)
        mean: torch.Tensor = (losses * observed).sum() / observed.sum().clamp_min(1)
        return mean
