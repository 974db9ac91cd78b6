/** Tables of documented requests and answers, run over HTTP. */
import { expect, test } from "bun:test";

export interface Example {
  /** Section of the document and what it shows. */
  name: string;
  method: string;
  path: string;
  headers?: Record<string, string>;
  /** Sent as JSON; a string is sent as it is. */
  body?: unknown;
  status: number;
  /** The answer's body, or a matcher for it. */
  answer?: unknown;
  /** Headers that the answer must carry, by lower-case name. */
  answerHeaders?: Record<string, string | RegExp>;
}

/** Sends an example's request to the server at `url`. */
export async function send(url: string, { method, path, headers, body }: Example): Promise<Response> {
  const text = body === undefined || typeof body === "string" ? body : JSON.stringify(body);
  return await fetch(`${url}${path}`, {
    method,
    headers: { ...(text === undefined ? {} : { "Content-Type": "application/json" }), ...headers },
    ...(text === undefined ? {} : { body: text }),
  });
}

/** One test per example. `url` is asked for when the test runs. */
export function testExamples(url: () => string, examples: Example[]): void {
  for (const example of examples)
    test(`${example.name}: ${example.method} ${example.path} → ${example.status}`, async () => {
      const response = await send(url(), example);
      const text = await response.text();
      expect({ status: response.status, text }).toMatchObject({ status: example.status });
      if (example.answer !== undefined) {
        expect(response.headers.get("content-type")).toMatch(/^application\/json/);
        expect(JSON.parse(text)).toEqual(example.answer);
      }
      for (const [name, value] of Object.entries(example.answerHeaders ?? {}))
        expect(response.headers.get(name) ?? "").toMatch(value);
    });
}
