/**
 * What the Logger's ingestion is measured against, as servers of their own. Usage: logger-peers.ts parse, or logger-peers.ts insert DATABASE_URL (`?host=` names the socket's directory): the first only
 * parses, the second stores each log with a statement of its own over ten connections. Prints its port.
 */
import postgres from "postgres";

interface Body {
  uuid: string;
  log: {
    level: string;
    message: string;
    tags?: string[];
    timestamp?: string;
    metadata?: Record<string, unknown>;
  };
}

const [kind, url = ""] = process.argv.slice(2);
/** A socket's directory in the query, as psql takes it, is an option of its own to postgres.js. */
const host = new URL(url || "postgres://x").searchParams.get("host");
const sql =
  kind === "insert"
    ? postgres({
        max: 10,
        onnotice: () => {},
        user: "quintet",
        database: "quintet",
        ...(host ? { host } : {}),
      })
    : null;
let count = 0;

async function store({ log }: Body): Promise<void> {
  if (!sql) return;
  await sql`insert into bench_logs (project_id, at, level, message, tags, metadata, client_ip)
    values (1, ${log.timestamp ?? new Date().toISOString()}, ${log.level}, ${log.message}, ${log.tags ?? []},
      ${JSON.stringify(log.metadata ?? {})}::text::jsonb, '127.0.0.1')`;
}

if (sql)
  await sql.unsafe(`drop table if exists bench_logs; create table bench_logs (id bigserial, project_id int not null,
    at timestamptz not null, level text not null, message text not null, tags text[] not null, metadata jsonb not null, client_ip text);
    create index on bench_logs (project_id, at, id); create index on bench_logs using gin (tags)`);

const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  async fetch(request) {
    const body = (await request.json()) as Body;
    if (sql) await store(body);
    return Response.json({ _id: String(count++), projectUuid: body.uuid, ...body.log }, { status: 201 });
  },
});
console.log(server.port);
