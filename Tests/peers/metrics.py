"""Compares metrics, class weights and thresholds with scikit-learn's and SciPy's: metrics.py CASES.json

A case has what was measured and the values found, null for one that is not defined. Prints the largest difference of
each value as JSON; one above 1e-9 is an error.
"""

import json
import sys
import warnings

import numpy as np
from scipy.stats import pearsonr, spearmanr
from sklearn import metrics as m, set_config
from sklearn.preprocessing import StandardScaler, label_binarize
from sklearn.utils.class_weight import compute_class_weight

warnings.simplefilter("ignore")
# Thousands of small calls, which it takes longer to check than to compute.
set_config(skip_parameter_validation=True, assume_finite=True)


def calibration_error(confidence, right):
    """Guo et al.'s, by its definition."""
    error = 0
    for bin in range(15):
        inside = (confidence > bin / 15) & (confidence <= (bin + 1) / 15)
        if inside.any():
            error += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    return error


def classification(case):
    y, predicted, p = (np.array(case[key]) for key in ("labels", "predicted", "probabilities"))
    count, positive = p.shape[1], case["positive"]
    classes = list(range(count))
    if count == 2:
        auroc = m.roc_auc_score(y == positive, p[:, positive]) if len(set(y)) == 2 else None
        precision = m.average_precision_score(y == positive, p[:, positive])
    else:
        auroc = m.roc_auc_score(y, p, multi_class="ovr") if len(set(y)) == count else None
        precision = m.average_precision_score(label_binarize(y, classes=classes), p)
    return {
        "acc": m.accuracy_score(y, predicted), "mcc": m.matthews_corrcoef(y, predicted),
        "f1": m.f1_score(y == positive, predicted == positive, zero_division=0),
        **{f"{name}_f1": m.f1_score(y, predicted, average=name, zero_division=0)
           for name in ("macro", "micro", "weighted")},
        "auroc": auroc, "average_precision": precision, "log_loss": m.log_loss(y, p, labels=classes),
        "ece": calibration_error(p.max(axis=1), predicted == y),
        "class_weights": compute_class_weight("balanced", classes=np.array(classes), y=np.array(case["training"])),
    }


def regression(case):
    y, x = np.array(case["labels"]), np.array(case["predictions"])
    varies = len(set(y)) > 1 and len(set(x)) > 1
    scaler = StandardScaler().fit(y.reshape(-1, 1))
    return {
        "pearson": pearsonr(x, y)[0] if varies else None, "spearmanr": spearmanr(x, y)[0] if varies else None,
        "mae": m.mean_absolute_error(y, x), "rmse": m.root_mean_squared_error(y, x),
        "r2": m.r2_score(y, x) if len(y) > 1 else None,
        "standardize": [scaler.mean_[0], scaler.scale_[0]],
    }


def highest_f1(y, p):
    precision, recall, _ = m.precision_recall_curve(y, p)
    return np.nan_to_num(2 * precision * recall / (precision + recall)).max() if y.any() else 0


def multilabel(case):
    y, logits, p, rest = (np.array(case[key]) for key in ("labels", "logits", "probabilities", "complements"))
    predicted = (p >= np.array(case["thresholds"])).astype(int)
    best = (p >= np.array(case["best"])).astype(int)
    columns = range(y.shape[1])
    isDefined = all(len(set(y[:, k])) == 2 for k in columns)
    if y.shape[1] == 1:
        y1, x1 = y[:, 0], logits[:, 0]
        f1 = m.f1_score(y1, predicted[:, 0], zero_division=0)
        micro = macro = f1
        auroc = m.roc_auc_score(y1, x1) if isDefined else None
        precision = m.average_precision_score(y1, x1)
    else:
        micro, macro = (m.f1_score(y, predicted, average=name, zero_division=0) for name in ("micro", "macro"))
        auroc = m.roc_auc_score(y, logits, average="macro") if isDefined else None
        precision = m.average_precision_score(y, logits, average="macro")
    return {
        "micro_f1": micro, "macro_f1": macro, "subset_acc": (y == predicted).all(axis=1).mean(), "auroc": auroc,
        "average_precision": precision,
        # The labels have as many examples, so that the mean of their losses is that of all.
        "log_loss": m.log_loss(y.ravel(), np.stack([rest.ravel(), p.ravel()], 1), labels=[0, 1]),
        "best_f1": [m.f1_score(y[:, k], best[:, k], zero_division=0) - highest_f1(y[:, k], p[:, k]) for k in columns],
    }


differences, faults = {}, []
for case in json.load(open(sys.argv[1])):
    expected = globals()[case["kind"]](case)
    assert set(expected) == set(case["found"]), (set(expected) ^ set(case["found"]))
    for name, value in expected.items():
        found = case["found"][name]
        if value is None or found is None:
            difference = 0 if value is None and found is None else float("inf")
        else:
            difference = float(np.max(np.abs(np.asarray(value, float) - np.asarray(found, float))))
        key = f"{case['kind']} {name}"
        differences[key] = max(differences.get(key, 0), difference)
        # Not a number is no agreement.
        if not difference <= 1e-9:
            faults.append(f"{key}: {found}, and the peers' is {value}: {json.dumps(case)[:1000]}")
print(json.dumps(differences, indent=1))
if faults:
    sys.exit(f"{len(faults)} differ, the first: {faults[0]}")
