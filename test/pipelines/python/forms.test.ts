import { expect, test } from "bun:test";
import { tmpdir } from "node:os";
import { PythonError } from "../../../src/services/pipelines/run/python/python-error.ts";
import { checkPython } from "../../../src/services/pipelines/run/python/transform.ts";
import { column, sandboxTest, transformed } from "./support.ts";

const columns = [column("date", { kind: "date" }), column("amount", "int64"), column("note", "text")];
const rows = "2025-01-02\t3\tb\n2025-01-01\t1\ta\n2025-01-02\t4\t\\N\n2025-01-01\t\\N\tc\n";

const forms: { name: string; code: string; names: string[]; kinds: string[]; text: string }[] = [
  {
    name: "a function",
    code: "def transform(df):\n    return df[df.amount > 1]",
    names: ["date", "amount", "note"],
    kinds: ["date", "int64", "text"],
    text: "2025-01-02\t3\tb\n2025-01-02\t4\t\\N\n",
  },
  {
    name: "the document's expression, whose key stays a column",
    code: "df.groupby('date').agg({'amount': 'sum'})",
    names: ["date", "amount"],
    kinds: ["date", "int64"],
    text: "2025-01-01\t1\n2025-01-02\t7\n",
  },
  {
    name: "an expression over many lines",
    code: "(df\n  .sort_values('amount')\n  .head(1)[['note']])",
    names: ["note"],
    kinds: ["text"],
    text: "a\n",
  },
  {
    name: "statements that change df",
    code: "import datetime\ndf['half'] = df['amount'] / 2\ndf['day'] = datetime.date(2025, 3, 4)\ndf = df[['half', 'day']].head(2)",
    names: ["half", "day"],
    kinds: ["float64", "date"],
    text: "1.5\t2025-03-04\n0.5\t2025-03-04\n",
  },
  {
    name: "an expression that changes df in place",
    code: "df.drop(columns=['date', 'note'], inplace=True)",
    names: ["amount"],
    kinds: ["int64"],
    text: "3\n1\n4\n\\N\n",
  },
  {
    name: "statements that assign result",
    code: "other = 5\nresult = df.head(1).assign(amount=other)[['amount']]",
    names: ["amount"],
    kinds: ["int64"],
    text: "5\n",
  },
  {
    name: "statements that end with an expression",
    code: "big = df.amount.fillna(0) > 2\ndf[big][['amount']]",
    names: ["amount"],
    kinds: ["int64"],
    text: "3\n4\n",
  },
  {
    name: "a Series, as one column beside its key",
    code: "df.groupby('date')['amount'].max()",
    names: ["date", "amount"],
    kinds: ["date", "int64"],
    text: "2025-01-01\t1\n2025-01-02\t4\n",
  },
  {
    name: "several aggregates of a column",
    code: "df.groupby('date').agg({'amount': ['min', 'max']})",
    names: ["date", "amount_min", "amount_max"],
    kinds: ["date", "int64", "int64"],
    text: "2025-01-01\t1\t1\n2025-01-02\t3\t4\n",
  },
  {
    name: "no rows",
    code: "df[df.amount > 100]",
    names: ["date", "amount", "note"],
    kinds: ["date", "int64", "text"],
    text: "",
  },
  {
    name: "parameters",
    code: "df[df.amount >= parameters['least']][['amount']].assign(who=parameters['who'])",
    names: ["amount", "who"],
    kinds: ["int64", "text"],
    text: "3\tЯ\n4\tЯ\n",
  },
  {
    name: "values of every type that Python has",
    code: [
      "import datetime as d, decimal, uuid",
      "utc = d.timezone.utc",
      "result = pd.DataFrame({'a': [True], 'b': [decimal.Decimal('1.50')], 'c': [pd.Timestamp('2025-01-02 03:04:05.5', tz='Europe/Moscow')],",
      "  'd': [b'\\x00\\xff'], 'e': [{'k': [1, None, 'ж']}], 'f': [uuid.UUID(int=1)], 'g': [d.time(1, 2)], 'h': [2**64], 'i': pd.Categorical(['x']),",
      "  'j': [d.datetime(1, 1, 1, tzinfo=utc)], 'k': np.array([7], 'int16'), 'l': np.array([0.1], 'float32'), 'm': [None]})",
    ].join("\n"),
    names: [..."abcdefghijklm"],
    kinds: [
      ...["boolean", "decimal", "timestamp", "bytes", "json", "uuid", "time", "decimal", "text", "timestamp"],
      ...["int16", "float32", "text"],
    ],
    text:
      `1\t1.50\t2025-01-02 00:04:05.5\t\\\\x00ff\t{"k":[1,null,"ж"]}\t00000000-0000-0000-0000-000000000001\t` +
      `01:02:00\t18446744073709551616\tx\t0001-01-01 00:00:00\t7\t0.1\t\\N\n`,
  },
];

for (const { name, code, names, kinds, text } of forms)
  sandboxTest(name, async () => {
    const parameters = { least: 3, who: "Я" };
    const result = await transformed(code, columns, rows, { parameters });
    expect(result.columns.map((each) => each.name)).toEqual(names);
    expect(result.columns.map(({ type }) => type.kind)).toEqual(kinds as never[]);
    expect(result.text).toBe(text);
  });

const faults: { name: string; code: string; fault: string; message: string; line: number | null }[] = [
  {
    name: "an exception, with the line of the user's code",
    code: "def transform(df):\n    x = 1\n    return df['nothing']",
    fault: "exception",
    message: "KeyError: 'nothing' (line 3)",
    line: 3,
  },
  {
    name: "an error of syntax",
    code: "a = 1\nb = (",
    fault: "syntax",
    message: "'(' was never closed",
    line: 2,
  },
  { name: "a scalar", code: "df.amount.sum()", fault: "result", message: "of type int64", line: null },
  { name: "nothing", code: "def transform(df): pass", fault: "result", message: "it is None", line: null },
  { name: "no columns", code: "df[[]]", fault: "result", message: "no columns", line: null },
  {
    name: "two columns of one name",
    code: "pd.concat([df, df], axis=1)",
    fault: "result",
    message: "two columns with the name 'date'",
    line: null,
  },
  { name: "an exit", code: "import sys\nsys.exit(3)", fault: "exception", message: "SystemExit: 3", line: 2 },
];

for (const { name, code, fault, message, line } of faults)
  sandboxTest(`tells of ${name}`, async () => {
    const error = await transformed(code, columns, rows).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(PythonError);
    expect(error).toMatchObject({ fault, line });
    expect((error as PythonError).message).toContain(message);
  });

sandboxTest("a long message is cut", async () => {
  const error = await transformed("raise Exception('я' * 10**7)", columns, rows).catch((thrown) => thrown);
  expect((error as PythonError).message).toHaveLength(2000);
});

sandboxTest("what the code prints is the log's, and no more than 64 KB of it", async () => {
  let log = "";
  const onLog = (text: string) => {
    log = text;
  };
  await transformed("print('привет')\ndf", columns, rows, { onLog });
  expect(log).toBe("привет\n");
  await transformed("print('x' * 10**7)\ndf", columns, rows, { onLog });
  expect(log.length).toBeLessThan(66_000);
});

sandboxTest("checking compiles and runs nothing", async () => {
  const options = { directory: tmpdir(), signal: AbortSignal.timeout(20_000) };
  await checkPython("raise Exception('never')", options);
  await expect(checkPython("def f(:\n  pass", options)).rejects.toThrow("(line 1)");
  await expect(checkPython(`${"(".repeat(5000)}`, options)).rejects.toThrow(PythonError);
  await expect(checkPython("a = '\0'", options)).rejects.toThrow("null bytes");
});

test("a message never passes 2,000 characters with its line", () => {
  expect(new PythonError("exception", "x".repeat(5000), 12).message).toHaveLength(2000);
});
