"""Small copies of the benchmarks, made here, in each format that users have on disk."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest
from PIL import Image

from benchmarks.accuracy.errors import DataError
from benchmarks.accuracy.formats import READERS
from benchmarks.accuracy.item import Item

Fields = dict[str, Any]

PMC_HEADER = ("index", "Figure_path", "Caption", "Question", "Choice A", "Choice B", "Choice C", "Choice D")

MMMU_PICTURES = tuple(f"image_{number}" for number in range(1, 8))

MISSING: Any = object()
"""The value of a field that a record is to lack."""


def items_of(reader: str, path: Path) -> list[Item]:
    """All that the reader of this name finds."""
    return list(READERS[reader](path))


def refusal(reader: str, path: Path) -> DataError:
    """What the reader of this name says of a copy that is not what it should be."""
    with pytest.raises(DataError) as caught:
        items_of(reader, path)
    return caught.value


def png(shade: int) -> bytes:
    """A picture of 4 x 4 pixels. shade: 0 to 255."""
    file = io.BytesIO()
    Image.new("L", (4, 4), shade).save(file, "PNG")
    return file.getvalue()


def bundle_record(**changes: Any) -> Fields:
    """A closed question as the official bundle has them."""
    record = {
        "question": "Is there evidence of an aortic aneurysm?",
        "options": ["Yes", "No"],
        "answer": "Yes",
        "image": ["images/made.png"],
        "dataset": "VQA-RAD_test",
        "subset": "",
        "question_type": "closed",
    }
    return _changed(record, changes)


def write_bundle(folder: Path, records: Sequence[object]) -> Path:
    """The JSON file's path; `images/made.png` lies beside it."""
    _write_picture(folder / "images" / "made.png")
    return _write_json(folder / "medical_multimodel_evaluation_data.json", records)


def slake_record(**changes: Any) -> Fields:
    """A closed English question."""
    record = {
        "img_name": "xmlab1/source.jpg",
        "question": "Does the picture contain liver?",
        "answer": "Yes",
        "q_lang": "en",
        "answer_type": "CLOSED",
        "modality": "CT",
    }
    return _changed(record, changes)


def write_slake(folder: Path, records: Sequence[object]) -> Path:
    """The JSON file's path; `imgs/xmlab1/source.jpg` lies beside it."""
    _write_picture(folder / "imgs" / "xmlab1" / "source.jpg")
    return _write_json(folder / "test.json", records)


def pmc_row(answer: str = "B", figure: str = "PMC1_F1.jpg") -> list[str]:
    """A row of `test_2.csv`, its options prefixed as there."""
    options = (" A:Diffuse uptake ", " B:Focal uptake ", " C:No uptake ", " D:None of these ")
    return ["7", figure, "Uptake, in the breast.", "What is the uptake?", *options, answer, "test"]


def write_pmc_vqa(folder: Path, rows: Iterable[Sequence[str]], pictures: str = "figures") -> Path:
    """The CSV file's path; PMC1_F1.jpg lies in the folder `pictures`."""
    _write_picture(folder / pictures / "PMC1_F1.jpg")
    file = folder / "test_2.csv"
    with file.open("w", encoding="utf-8", newline="") as opened:
        csv.writer(opened).writerows([(*PMC_HEADER, "Answer", "split"), *rows])
    return file


def omni_record(number: int = 0, **changes: Any) -> Fields:
    """A question of the data set ACRIMA."""
    record = {
        "dataset": "ACRIMA",
        "question_id": f"ACRIMA_{number:04}",
        "question": "What imaging technique was used?",
        "option_A": "Mammogram",
        "option_B": "Fundus imaging",
        "option_C": "Endoscopy",
        "option_D": "MRI",
        "gt_answer": "Fundus imaging",
        "image_path": "Images/ACRIMA/Im002.png",
        "modality_type": "Fundus Photography",
    }
    return _changed(record, changes)


def write_omnimedvqa(folder: Path, files: Mapping[str, Sequence[object]]) -> Path:
    """The folder. files: records by the name of their JSON file; `Images/ACRIMA/Im002.png` is there."""
    _write_picture(folder / "Images" / "ACRIMA" / "Im002.png")
    for name, records in files.items():
        _write_json(folder / "QA_information" / "Open-access" / f"{name}.json", records)
    return folder


def vqa_row(answer: str = "yes", picture: bytes | None = None, **changes: Any) -> Fields:
    """A row of VQA-RAD's or PathVQA's parquet. picture: a made one where it is None."""
    row = {"image": {"bytes": picture or png(1), "path": "made.png"}, "question": "is it normal?", "answer": answer}
    return _changed(row, changes)


def mmmu_row(identity: str = "validation_Pharmacy_1", *, num_pictures: int = 1, **changes: Any) -> Fields:
    """A row of MMMU's parquet, with so many pictures."""
    pictures = {name: {"bytes": png(shade), "path": f"{name}.png"} for shade, name in enumerate(MMMU_PICTURES)}
    row = {
        "id": identity,
        "question": "What does <image 1> show?",
        "options": "['It\\'s one', \"two\", 'three']",
        "answer": "B",
        **{name: pictures[name] if number < num_pictures else None for number, name in enumerate(MMMU_PICTURES)},
        "question_type": "multiple-choice",
    }
    return _changed(row, changes)


def write_parquet(file: Path, rows: Sequence[Fields], row_group_size: int = 100) -> Path:
    """The file's path. Columns named `image...` hold pictures; the columns are the first row's."""
    file.parent.mkdir(parents=True, exist_ok=True)
    picture = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    columns = {
        name: pa.array([row[name] for row in rows], type=picture if name.startswith("image") else None)
        for name in rows[0]
    }
    pq.write_table(pa.table(columns), file, row_group_size=row_group_size)
    return file


def jama_case(identity: object = 0, **changes: Any) -> Fields:
    """A case as the scraper writes it."""
    case = {
        "id": identity,
        "link": "https://example.org/case",
        "question": "A man in his 60s coughs. What Would You Do Next?",
        "opa": "Wait",
        "opb": "Operate",
        "opc": "Take a biopsy",
        "opd": "Give antibiotics",
        "diagnosis": "Sarcoidosis",
        "answer_idx": "C",
        "answer": "Take a biopsy",
        "explanation": "The key was the hilar lymph nodes.",
        "field": "Oncology",
    }
    return _changed(case, changes)


def write_jama(folder: Path, cases: Sequence[object]) -> Path:
    """The JSON file's path; no pictures."""
    return _write_json(folder / "jama_raw.json", cases)


def _changed(record: Fields, changes: Fields) -> Fields:
    return {name: value for name, value in (record | changes).items() if value is not MISSING}


def _write_json(file: Path, records: Sequence[object]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(records), encoding="utf-8")
    return file


def _write_picture(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(png(0))
