/** The least that answers: `Bun.serve` with one fixed text. Prints its port. Usage: bare-server.ts TEXT */
const text = process.argv[2] ?? "";
const headers = { "Content-Type": "application/json" };
const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response(text, { headers }) });
console.log(server.port);
