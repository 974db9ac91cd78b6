/**
 * The API's documentation: one OpenAPI 3.1 document made from the routes' zod schemas, Swagger UI at `/docs` and ReDoc at `/redoc`.
 * Everything comes from the executable: the pages name no other host, and their policy forbids asking one.
 */
import { join } from "node:path";
import { toOpenAPISchema } from "@elysiajs/openapi";
import { type AnyElysia, Elysia } from "elysia";
import { z } from "zod";
import { jsonSchemaOf } from "./describe.ts";
import { notFound } from "./failures.ts";

export interface DocsOptions {
  /** Directory of the unpacked scripts and styles. */
  assetsDirectory: string;
  title: string;
  version: string;
  description: string;
  /** The app to describe; asked for at the first request, when it is whole. */
  app(): AnyElysia;
}

/** The only files that are served, with their types. */
const assetTypes: Record<string, string> = {
  "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
  "swagger-ui.css": "text/css; charset=utf-8",
  "redoc.standalone.js": "text/javascript; charset=utf-8",
};

const startSwagger = `window.ui = SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#page",
  deepLinking: true,
  persistAuthorization: true,
  validatorUrl: null,
});
`;

const startRedoc = `Redoc.init("/openapi.json", { disableSearch: true, hideDownloadButtons: false }, document.getElementById("page"));
`;

/** Nothing is loaded from elsewhere. Both tools style elements inline; ReDoc may work in a Worker made from a blob. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self' data:",
  "connect-src 'self'",
  "worker-src 'self' blob:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

function page(title: string, { styles, scripts }: { styles: string[]; scripts: string[] }): Response {
  const head = styles.map((name) => `<link rel="stylesheet" href="/docs/assets/${name}">`).join("");
  const body = scripts.map((name) => `<script src="/docs/assets/${name}"></script>`).join("");
  const html = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title><link rel="icon" href="data:,">${head}</head>
<body><div id="page"></div>${body}</body></html>
`;
  return new Response(html, {
    headers: { "Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": policy },
  });
}

const script = (text: string) =>
  new Response(text, { headers: { "Content-Type": assetTypes["redoc.standalone.js"] ?? "" } });

/** Credentials that the routes take. */
const securitySchemes = {
  bearer: { type: "http", scheme: "bearer", bearerFormat: "JWT" },
  apiKey: { type: "apiKey", in: "header", name: "X-API-Key" },
};

/** Elysia's own description of JSON Schema is not used: zod knows its schemas best. */
const vendors = { zod: jsonSchemaOf };

/** Bodies are JSON and nothing else; our own parser keeps the plugin from telling. */
function describeBodies(app: AnyElysia, paths: Record<string, Record<string, unknown> | undefined>): void {
  for (const { method, path, hooks } of app.routes) {
    const operation = paths[path.replace(/:(\w+)/g, "{$1}")]?.[method.toLowerCase()] as
      | Record<string, unknown>
      | undefined;
    if (operation && hooks.body instanceof z.ZodType)
      operation.requestBody = {
        required: !hooks.body.safeParse(undefined).success,
        content: { "application/json": { schema: jsonSchemaOf(hooks.body) } },
      };
  }
}

function describeApi({ title, version, description, app }: DocsOptions): object {
  const { paths, components } = toOpenAPISchema(app(), undefined, undefined, vendors);
  describeBodies(app(), paths as Record<string, Record<string, unknown>>);
  return {
    openapi: "3.1.1",
    info: { title, version, description },
    servers: [{ url: "/" }],
    paths,
    components: { ...components, securitySchemes },
    security: [{}, { bearer: [] }, { apiKey: [] }],
  };
}

/** The routes of the documentation. */
export function docsRoutes(options: DocsOptions) {
  const { assetsDirectory, title } = options;
  let document: string | null = null;
  const hidden = { detail: { hide: true } };
  return new Elysia()
    .get(
      "/openapi.json",
      () => {
        document ??= JSON.stringify(describeApi(options));
        return new Response(document, { headers: { "Content-Type": "application/json" } });
      },
      hidden,
    )
    .get(
      "/docs",
      () =>
        page(`${title} – Swagger UI`, {
          styles: ["swagger-ui.css"],
          scripts: ["swagger-ui-bundle.js", "start-swagger.js"],
        }),
      hidden,
    )
    .get(
      "/redoc",
      () => page(`${title} – ReDoc`, { styles: [], scripts: ["redoc.standalone.js", "start-redoc.js"] }),
      hidden,
    )
    .get("/docs/assets/start-swagger.js", () => script(startSwagger), hidden)
    .get("/docs/assets/start-redoc.js", () => script(startRedoc), hidden)
    .get(
      "/docs/assets/:name",
      ({ params }) => {
        const type = Object.hasOwn(assetTypes, params.name) ? assetTypes[params.name] : undefined;
        if (type === undefined) throw notFound("Not Found");
        return new Response(Bun.file(join(assetsDirectory, params.name)), {
          headers: { "Content-Type": type, "Cache-Control": "public, max-age=86400" },
        });
      },
      hidden,
    );
}
