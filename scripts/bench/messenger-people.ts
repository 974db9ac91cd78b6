/** Many accounts and sessions at once, as logins would have made them. */
import { createHmac } from "node:crypto";
import { join } from "node:path";
import { SQL } from "bun";
import type { BenchServer } from "./server.ts";

export interface Person {
  id: number;
  token: string;
}

const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** Makes `count` people on a server whose tokens are signed with `secret`. */
export async function makePeople(server: BenchServer, count: number, secret: string): Promise<Person[]> {
  const path = join(server.dataDirectory, "postgres/run/.s.PGSQL.5432");
  const sql = new SQL({ adapter: "postgres", path, username: "quintet", database: "quintet", max: 1 });
  const rows: { id: string; account_id: number }[] = await sql`with made as (
      insert into identity.accounts (username, username_key) select 'p' || n, 'p' || n from generate_series(1, ${count}) n
      returning id)
    insert into identity.sessions (account_id, surface, expires_at)
    select id, 'messenger', now() + interval '1 hour' from made order by id returning id, account_id`;
  await sql.close();
  const now = Math.floor(Date.now() / 1000);
  return rows.map(({ id: sid, account_id: id }) => {
    const claims = { sub: `user_${id}`, user_id: id, username: `p${id}`, sid, iat: now, exp: now + 3600 };
    const text = `${encode({ alg: "HS256", typ: "JWT" })}.${encode(claims)}`;
    return { id, token: `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}` };
  });
}
