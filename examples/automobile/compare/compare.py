"""Compare the models: metrics as JSON, and a plot of predicted against true prices."""

import argparse
import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.ticker import MultipleLocator
from sklearn.metrics import mean_absolute_error, r2_score

parser = argparse.ArgumentParser()
parser.add_argument("--ridge", type=Path, required=True, help="folder with the ridge model's predictions.csv")
parser.add_argument("--forest", type=Path, required=True, help="folder with the forest's predictions.csv")
parser.add_argument("--out", type=Path, required=True, help="folder for metrics.json and comparison.png")
args = parser.parse_args()
args.out.mkdir(parents=True, exist_ok=True)

models = {"ridge": args.ridge, "forest": args.forest}
predictions = {name: pd.read_csv(folder / "predictions.csv") for name, folder in models.items()}
metrics = {
    name: {
        "mean_absolute_error": mean_absolute_error(table["price"], table["predicted"]),
        "r2": r2_score(table["price"], table["predicted"]),
    }
    for name, table in predictions.items()
}
(args.out / "metrics.json").write_text(json.dumps(metrics, indent=2))
print(json.dumps(metrics, indent=2))

figure, panels = plt.subplots(1, len(models), figsize=(9, 4.5), sharex=True, sharey=True, layout="constrained")
highest = max(table.to_numpy().max() for table in predictions.values()) * 1.05
for panel, (name, table) in zip(panels, predictions.items(), strict=True):
    panel.plot([0, highest], [0, highest], color="#999999", linewidth=1)
    panel.scatter(table["price"], table["predicted"], s=22, color="#1f6fb4", alpha=0.8, edgecolors="none")
    score = metrics[name]
    panel.set_title(
        f"{name}: off by ${score['mean_absolute_error']:,.0f} on average, R² {score['r2']:.2f}", fontsize=10
    )
    panel.set_xlabel("true price, dollars")
    panel.set_xlim(0, highest)
    panel.set_ylim(0, highest)
    for axis in (panel.xaxis, panel.yaxis):
        axis.set_major_locator(MultipleLocator(10_000))
        axis.set_major_formatter("{x:,.0f}")
panels[0].set_ylabel("predicted price, dollars")
figure.suptitle("Prices of cars that the models have not seen")
figure.savefig(args.out / "comparison.png", dpi=120)
