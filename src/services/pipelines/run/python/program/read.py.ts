/** Rows in canonical form → a data frame. NULLs and NaN are told apart, and nothing is rounded or guessed. */
export const readPart = String.raw`
import ast, datetime, decimal, gc, io, json, os, re, sys

escaped = re.compile(r"\\(.)", re.S)
meanings = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
read_characters = 1 << 20

def unescape(value):
    return escaped.sub(lambda match: meanings.get(match[1], match[1]), value)

def plain(values):
    return [None if v == "\\N" else unescape(v) if "\\" in v else v for v in values]

def each(convert):
    return lambda values: [None if v is None else convert(v) for v in plain(values)]

def time_of(text):
    try:
        return datetime.time.fromisoformat(text if len(text) < 10 else text[:15].ljust(15, "0"))
    except ValueError:
        return text

def moment(kind, zoned):
    def convert(text):
        try:
            value = datetime.datetime.fromisoformat(text if len(text) < 20 else text[:26].ljust(26, "0"))
        except ValueError:
            return text
        return value.date() if kind == "date" else value.replace(tzinfo=datetime.timezone.utc) if zoned else value
    return convert

special_floats = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}

def elements(kind):
    number = decimal.Decimal if kind == "decimal" else None
    def special(value):
        if isinstance(value, list):
            return [special(v) for v in value]
        if isinstance(value, str):
            return number(value) if number else special_floats.get(value, value)
        return value
    def parse(text):
        value = json.loads(text, parse_float=number, parse_int=number)
        return special(value) if kind in ("decimal", "float32", "float64") else value
    return parse

class Reader:
    """Collects one column's values and makes a series of them."""
    def __init__(self, type):
        kind = type["kind"]
        self.kind, self.zoned = kind, bool(type.get("zoned"))
        self.parts, self.masks, self.odd = [], [], False
        innermost = type
        while innermost["kind"] == "array":
            innermost = innermost["of"]
        self.add = {
            "boolean": self.add_numbers, "int16": self.add_numbers, "int32": self.add_numbers, "int64": self.add_numbers,
            "float32": self.add_numbers, "float64": self.add_numbers, "date": self.add_moments, "timestamp": self.add_moments,
        }.get(kind, self.add_objects)
        self.objects = {
            "decimal": each(decimal.Decimal), "bytes": each(lambda text: bytes.fromhex(text[2:])), "time": each(time_of),
            "array": each(elements(innermost["kind"])), "date": each(moment("date", False)),
            "timestamp": each(moment("timestamp", self.zoned)),
        }.get(kind, plain)

    def add_objects(self, values):
        self.parts.append(self.objects(values))

    def add_numbers(self, values):
        part = np.array(values, dtype=object)
        mask = part == "\\N"
        if mask.any():
            part[mask] = "0"
        self.masks.append(mask)
        target = bool if self.kind == "boolean" else float if self.kind.startswith("float") else np.int64
        self.parts.append(part == "1" if target is bool else part.astype(target))

    def add_moments(self, values):
        if not self.odd:
            try:
                unit = "ns" if max(map(len, values), default=0) > 26 else "us"
                texts = ["NaT" if v == "\\N" else v for v in values]
                part = np.array(texts, dtype="datetime64[us]")
                known = part[~np.isnat(part)]
                if len(known) == 0 or first_moment <= known.min() and known.max() <= last_moment:
                    self.parts.append(np.array(texts, dtype="datetime64[ns]") if unit == "ns" else part.astype("datetime64[ns]"))
                    return
            except ValueError:
                pass
            # What is there already becomes objects like the rest: a column is of one kind.
            self.odd = True
            self.parts = [self.objects(moment_texts(part)) for part in self.parts]
        self.parts.append(self.objects(values))

    def series(self):
        if self.add == self.add_objects or self.odd:
            values = np.empty(sum(map(len, self.parts)), dtype=object)
            values[:] = [v for part in self.parts for v in part]
            return pd.Series(values, dtype=object)
        if self.add == self.add_moments:
            series = pd.Series(np.concatenate(self.parts) if self.parts else np.array([], "datetime64[ns]"))
            return series.dt.tz_localize("UTC") if self.zoned else series
        target = bool if self.kind == "boolean" else float if self.kind.startswith("float") else np.int64
        values = np.concatenate(self.parts) if self.parts else np.array([], target)
        mask = np.concatenate(self.masks) if self.masks else np.array([], bool)
        if target is bool:
            return pd.Series(pd.arrays.BooleanArray(values, mask))
        if target is np.int64:
            return pd.Series(pd.arrays.IntegerArray(values, mask))
        # A plain float has one value for both NULL and NaN.
        if np.isnan(values).any():
            return pd.Series(pd.arrays.FloatingArray(values, mask))
        values[mask] = np.nan
        return pd.Series(values)

def read_frame(columns, source):
    readers = [Reader(column["type"]) for column in columns]
    width = len(readers)
    while True:
        lines = source.readlines(read_characters)
        if not lines:
            break
        rows = [line[:-1].split("\t") for line in lines]
        if set(map(len, rows)) != {width}:
            raise Told("result", "the rows that came in are not in their form")
        for reader, values in zip(readers, zip(*rows)):
            reader.add(values)
    frame = pd.concat([reader.series() for reader in readers], axis=1)
    frame.columns = [column["name"] for column in columns]
    return frame
`;
