"""Train a ridge regression of the price, and predict the prices of the test table."""

import argparse
from pathlib import Path

import pandas as pd
from azureml.core import Run
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

ALPHA = 1.0

parser = argparse.ArgumentParser()
parser.add_argument("--data", type=Path, required=True, help="folder with train.csv and test.csv")
parser.add_argument("--out", type=Path, required=True, help="folder for predictions.csv")
args = parser.parse_args()

train, test = pd.read_csv(args.data / "train.csv"), pd.read_csv(args.data / "test.csv")
model = make_pipeline(StandardScaler(), Ridge(alpha=ALPHA))
model.fit(train.drop(columns="price"), train["price"])

predicted = model.predict(test.drop(columns="price"))
args.out.mkdir(parents=True, exist_ok=True)
pd.DataFrame({"price": test["price"], "predicted": predicted}).to_csv(args.out / "predictions.csv", index=False)
error = float((test["price"] - predicted).abs().mean())
Run.get_context().log("mean absolute error", error)
print(f"ridge: mean absolute error {error:.0f} dollars")
