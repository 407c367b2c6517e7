"""The RMDN paper's classifier: linear SVMs, with C chosen on held-out videos."""

from __future__ import annotations

import warnings

import numpy as np

GRID = tuple(10.0**power for power in range(-9, 4, 2))  # 1e-9 to 1e3 in steps of 10^2
HELD_OUT = 0.2


class LinearSVM:
    """One linear SVM per class, one against the rest.

    C is chosen on held-out training videos; then the SVMs are fitted to all training videos.

    Args:
        multi_label: labels are multi-hot, and C is chosen by mean average precision instead of
            accuracy.
        components: number of PCA components to reduce the descriptors to; None does not reduce.
        grid: values of C to try.
        seed: random seed of the hold-out.

    Example: `LinearSVM().fit(x, labels).scores(x_test)`

    Reference: Bazzani et al., ICLR 2017, appendix B.
    """

    def __init__(
        self,
        *,
        multi_label: bool = False,
        components: int | None = None,
        grid: tuple[float, ...] = GRID,
        seed: int = 0,
    ):
        self.multi_label = multi_label
        self.components = components
        self.grid = tuple(grid)
        self.seed = seed
        self.chosen: float | None = None
        self.validation: float | None = None

    def fit(self, x: np.ndarray, labels: np.ndarray) -> LinearSVM:
        """Choose C on held-out videos, then fit to all.

        Args:
            x: descriptors, (videos, features).
            labels: class indices (videos,), or multi-hot (videos, classes).

        Raises:
            ValueError: if there are fewer than 5 videos, or not one label per video.
        """
        if len(x) != len(labels) or len(x) < 5:
            raise ValueError(
                "There must be at least 5 videos, and a label for each. "
                f"Received: {len(x)} videos, {len(labels)} labels"
            )
        order = np.random.default_rng(self.seed).permutation(len(x))
        count = max(1, round(HELD_OUT * len(x)))
        held, rest = order[:count], order[count:]
        found = []
        for c in self.grid:
            self._fit(x[rest], labels[rest], c)
            found.append(self.measure(x[held], labels[held]))
        best = int(np.nanargmax(found))  # the smallest C among equally good ones
        self.chosen, self.validation = self.grid[best], float(found[best])
        self._fit(x, labels, self.chosen)
        return self

    def scores(self, x: np.ndarray) -> np.ndarray:
        """Signed distances to each class's hyperplane, (videos, classes)."""
        x = self._reduced(x)
        return np.stack([self._distance(one, x) for one in self._planes], axis=1)

    def measure(self, x: np.ndarray, labels: np.ndarray) -> float:
        """Accuracy, or mean average precision with `multi_label`, between 0 and 1."""
        found = self.scores(x)
        if self.multi_label:
            from zoo.metrics import mean_average_precision

            return float(mean_average_precision(labels, found))
        return float(np.mean(found.argmax(1) == labels))

    def _fit(self, x, labels, c):
        from sklearn.decomposition import PCA
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.svm import LinearSVC

        # Max-pooled C3D features have no common scale; scale them to a mean norm of 1.
        self._scale = 1.0 / max(float(np.linalg.norm(x, axis=1).mean()), 1e-12)
        self._pca = None
        if self.components is not None:
            components = min(self.components, *x.shape)
            self._pca = PCA(components, random_state=self.seed).fit(x * self._scale)
        x = self._reduced(x)
        one_hot = labels if self.multi_label else labels[:, None] == np.arange(labels.max() + 1)
        self._planes = []
        for column in np.asarray(one_hot).T:
            if column.all() or not column.any():  # no SVM for a class that all or no videos show
                self._planes.append(float(2 * bool(column.all()) - 1))
                continue
            one = LinearSVC(C=c, random_state=self.seed)
            with warnings.catch_warnings():
                # At C = 1e3 the solver reaches its iteration limit; its result is used as it is.
                warnings.simplefilter("ignore", ConvergenceWarning)
                self._planes.append(one.fit(x, column.astype(int)))

    def _reduced(self, x):
        x = np.asarray(x) * self._scale
        return x if self._pca is None else self._pca.transform(x)

    @staticmethod
    def _distance(plane, x):
        return np.full(len(x), plane) if isinstance(plane, float) else plane.decision_function(x)
