"""`errgrpc export`: each format has the facts of the table, and can be read back."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from errgrpc.cli import exporting, tables
from errgrpc.cli.facts import facts
from errgrpc.cli.importing import Wanted, building, columns, delimited, protos
from errgrpc.cli.importing.entries import Notes
from errgrpc.cli.tables import Tables
from errgrpc.codegen.schema import Catalog, Code, Field, Hint

PROTOS = ("-c", "protos", "-c", "examples/classroom/v1/classroom.proto")
texts = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12
) | st.text("=+-@'\"\t\r\n;,|{}%1 ", max_size=6)
some = texts.filter(str.strip)


@st.composite
def codes(draw: Any, number: int) -> Code:
    hints = {
        (locale, when): draw(some)
        for locale in ("en", "zh-CN")
        for when in ((), (("a_key", draw(texts)),), (("b", "=&+ %é"),))
        if draw(st.booleans())
    }
    return Code(
        name=f"SHOP_CODE_A{number}B",
        reason=f"A{number}B",
        number=number,
        line=0,
        description=building.described(draw(texts)),
        annotated=True,
        grpc_status=draw(st.integers(1, 16)),
        http_status=draw(st.none() | st.integers(100, 599)),
        message=draw(some),
        hints=tuple(Hint(locale, text, when) for (locale, when), text in hints.items()),
        deprecated=draw(st.booleans()),
        metadata_fields=(
            Field("a_key", draw(texts), draw(texts), draw(st.booleans()), draw(st.integers(0, 3))),
        )
        if draw(st.booleans())
        else (),
        retryable=draw(st.none() | st.booleans()),
        resolution=draw(some | st.just("")),
    )


@st.composite
def catalogs(draw: Any) -> Catalog:
    values = [draw(codes(number)) for number in range(draw(st.integers(1, 5)))]
    return Catalog(
        "a.csv",
        "shop.v1",
        "ShopCode",
        0,
        "",
        True,
        "shop.example.com",
        "en",
        "",
        (),
        tuple(values),
        "SHOP_CODE_",
    )


@pytest.mark.parametrize("sources", [(), PROTOS, ("-c", "errgrpc:ComponentCode")])
def test_json_is_what_its_schema_says(sources: tuple[str, ...], run: Any) -> None:
    ran = run("export", "json", *sources)
    assert (ran.code, ran.err) == (0, "")
    told, schema = json.loads(ran.out), json.loads(run("export", "json-schema").out)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(told, schema)
    known = tables.load(sources[1::2])
    assert told["$schema"] == schema["$id"]
    assert [code for each in told["catalogues"] for code in each["codes"]] == [
        facts(known, *each) for each in known.codes()
    ]
    for catalog, each in zip(known.catalogs, told["catalogues"], strict=True):
        assert (each["domain"], each["fallback"] or "", len(each["infer"])) == (
            catalog.domain,
            catalog.fallback,
            len(catalog.infer),
        )
    told["catalogues"][0]["codes"][0]["new"] = 1
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(told, schema)


def without_place(catalog: Catalog) -> list[Code]:
    return [replace(code, line=0) for code in catalog.codes]


@pytest.mark.parametrize("name", ["res_code", "component_code"])
def test_csv_comes_back_as_the_shipped_proto(name: str, run: Any, tmp_path: Path) -> None:
    source, file, back = (
        f"protos/errgrpc/v1/{name}.proto",
        tmp_path / "codes.csv",
        tmp_path / "back.proto",
    )
    (shipped,) = tables.load([source]).catalogs
    assert run("export", "csv", "-c", source, "-o", str(file)).code == 0
    ran = run(
        "import",
        str(file),
        "-o",
        str(back),
        "--enum",
        shipped.name,
        "--package",
        "errgrpc.v2",
        "--domain",
        shipped.domain,
    )
    assert (ran.code, ran.out) == (0, "")
    *report, wrote = ran.err.splitlines()
    assert {line.split(":")[1] for line in report} <= {" default_locale"}
    assert wrote == f"wrote {back}: {len(shipped.codes)} codes"
    (catalog,) = tables.load([str(back)]).catalogs
    assert without_place(catalog) == without_place(shipped)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(catalogs())
def test_any_csv_comes_back(catalog: Catalog) -> None:
    text = exporting.written(Tables((catalog,)), "csv")
    notes = Notes()
    rows = columns.entries(delimited.read(text.encode(), "a.csv", notes), {}, notes)
    back = building.build(
        rows, Wanted("shop.v1", "ShopCode", "shop.example.com", "en"), "a.csv", notes
    )
    assert without_place(back) == without_place(catalog)
    for cell in (cell for row in csv.reader(io.StringIO(text, newline="")) for cell in row):
        assert cell[:1] not in ("=", "+", "-", "@", "\t", "\r") or cell.lstrip("-").isdecimal()


def test_codes_may_contradict_each_other_in_the_order_of_hints() -> None:
    plain = Code("A", "A1B", 0, 0, "", True, 2, None, "", ())
    hints = (Hint("en", "a", ()), Hint("de", "b", ()))
    values = (replace(plain, hints=hints), replace(plain, number=1, hints=hints[::-1]))
    catalog = Catalog("", "a.v1", "A", 0, "", True, "a.b", "en", "", (), values)
    head = exporting.written(Tables((catalog,)), "csv").splitlines()[0]
    assert head.endswith("metadata_fields,hint en,hint de,catalogue")


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(catalogs())
def test_any_catalogue_is_written_as_a_proto(tmp_path: Path, catalog: Catalog) -> None:
    plain = replace(
        catalog,
        description="a\n\nb",
        infer=((5, "A1B"),),
        locales=("en",),
        help_url='https://x/{reason}"',
    )
    (tmp_path / "a.proto").write_text(protos.render(plain), encoding="utf-8")
    (back,) = tables.load([str(tmp_path / "a.proto")]).catalogs
    assert [replace(code, line=0) for code in back.codes] == list(plain.codes)
    assert replace(back, values=(), file="", line=0) == replace(plain, values=(), file="", line=0)


def test_the_folder_of_an_export_is_made(run: Any, tmp_path: Path) -> None:
    file = tmp_path / "res/values/errors.csv"
    assert run("export", "csv", "-o", str(file)).code == 0
    assert file.read_text("utf-8") == run("export", "csv").out


def test_what_cannot_be_exported(run: Any, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "cannot be written" in run("export", "csv", "-o", str(tmp_path / "file/a.csv")).err
    assert run("export", "nothing").code == 2
