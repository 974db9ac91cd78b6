/** A client of the accounts. */

export interface Answer {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape.
  body: any;
}

/** Sends JSON and answers what came back. */
export async function ask(
  url: string,
  method: string,
  path: string,
  { body, token, headers }: { body?: unknown; token?: string; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const response = await fetch(`${url}${path}`, {
    method,
    headers: {
      ...(body === undefined ? {} : { "Content-Type": "application/json" }),
      ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text === "" ? null : JSON.parse(text) };
}

/** Registers an account and answers its token. */
export async function register(url: string, username: string, password = "password"): Promise<string> {
  const { status, body } = await ask(url, "POST", "/api/v1/auth/register", { body: { username, password } });
  if (status !== 201) throw new Error(`${status}: ${JSON.stringify(body)}`);
  return body.access_token;
}

/** Logs in; the answer as it came. */
export const logIn = (
  url: string,
  username: string,
  password = "password",
  headers: Record<string, string> = {},
) => ask(url, "POST", "/api/v1/auth/login", { body: { username, password }, headers });

/** Who a token belongs to: the status of `GET /users/me`. */
export const statusOfMe = async (url: string, token: string): Promise<number> =>
  (await ask(url, "GET", "/api/v1/users/me", { token })).status;
