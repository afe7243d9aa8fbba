"""Clean the automobile data and split it into a training and a test table."""

import argparse
from pathlib import Path

import pandas as pd

NUMERIC = ["wheelBase", "length", "width", "curbWeight", "engineSize", "horsepower", "cityMpg", "highwayMpg"]

parser = argparse.ArgumentParser()
parser.add_argument("--cars", type=Path, required=True, help="the raw table, CSV")
parser.add_argument("--test-share", type=float, required=True, help="share of the rows kept for testing")
parser.add_argument("--out", type=Path, required=True, help="folder for train.csv and test.csv")
args = parser.parse_args()

cars = pd.read_csv(args.cars)
cars = cars[[*NUMERIC, "price"]].apply(pd.to_numeric, errors="coerce")
clean = cars.dropna()
print(f"{len(cars)} cars, {len(cars) - len(clean)} dropped for missing values")

test = clean.sample(frac=args.test_share, random_state=0)
train = clean.drop(test.index)
args.out.mkdir(parents=True, exist_ok=True)
train.to_csv(args.out / "train.csv", index=False)
test.to_csv(args.out / "test.csv", index=False)
print(f"{len(train)} rows to train on, {len(test)} to test with")
