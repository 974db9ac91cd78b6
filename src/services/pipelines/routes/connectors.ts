/** `/api/v1/connectors`: systems that pipelines read from and write to. */
import { Elysia } from "elysia";
import { authenticated, requireRole } from "../access.ts";
import type { CatalogueColumn } from "../connect/types.ts";
import { idOf, requireNumber } from "../ids.ts";
import * as schemas from "../schemas.ts";
import { shownConnector } from "../views.ts";
import { failures, type PipelinesParts, tags } from "./parts.ts";

const shownColumn = ({ name, nativeType, nullable, primaryKey }: CatalogueColumn) => ({
  name,
  type: nativeType,
  nullable,
  ...(primaryKey ? { primary_key: true } : {}),
});

export function connectorRoutes(parts: PipelinesParts) {
  const { connectors } = parts;
  const number = (id: string) => requireNumber("connector", id);
  return new Elysia({ prefix: "/connectors", tags })
    .use(authenticated(parts))
    .get(
      "/",
      async ({ query }) => {
        const { rows, total } = await connectors.list(query);
        return { items: rows.map(shownConnector), total };
      },
      {
        query: schemas.list,
        response: { 200: schemas.anything, ...failures },
        detail: { summary: "List connectors" },
      },
    )
    .post(
      "/",
      async ({ body, caller, status }) => {
        requireRole(caller, "engineer");
        const given = { ...body, credentials: body.credentials ?? null };
        const {
          last_tested: _,
          test_status: __,
          ...made
        } = shownConnector(await connectors.create(given, caller.account.id));
        return status(201, made);
      },
      {
        body: schemas.newConnector,
        response: { 201: schemas.anything, ...failures },
        detail: { summary: "Make a connector", description: "Credentials are sealed and never shown." },
      },
    )
    .get(
      "/:connector_id",
      async ({ params }) => {
        const connector = await connectors.find(number(params.connector_id));
        return { ...shownConnector(connector), config: connector.config };
      },
      { response: { 200: schemas.anything, ...failures }, detail: { summary: "One connector" } },
    )
    .put(
      "/:connector_id",
      async ({ params, body, caller }) => {
        requireRole(caller, "engineer");
        const { name, config, credentials } = body;
        const changes = {
          ...(name === undefined ? {} : { name }),
          ...(config === undefined ? {} : { config }),
          credentials: credentials ?? null,
        };
        return shownConnector(await connectors.update(number(params.connector_id), changes));
      },
      {
        body: schemas.connectorChanges,
        response: { 200: schemas.anything, ...failures },
        detail: { summary: "Change a connector", description: "Credentials that are not given stay." },
      },
    )
    .delete(
      "/:connector_id",
      async ({ params, caller, set }) => {
        requireRole(caller, "engineer");
        await connectors.remove(number(params.connector_id), caller.account.id);
        set.status = 204;
      },
      { response: failures, detail: { summary: "Delete a connector" } },
    )
    .post(
      "/:connector_id/test",
      async ({ params, caller }) => {
        requireRole(caller, "engineer");
        const id = number(params.connector_id);
        const { result, at } = await connectors.test(id);
        return {
          connector_id: idOf("connector", id),
          test_status: result.queryExecutionSuccessful ? "success" : "failed",
          latency_ms: result.latency === null ? null : Math.round(result.latency * 10) / 10,
          tested_at: at.toISOString(),
          details: {
            connection_established: result.connectionEstablished,
            authentication_successful: result.authenticationSuccessful,
            query_execution_successful: result.queryExecutionSuccessful,
            ...(result.error === null ? {} : { error: result.error }),
          },
        };
      },
      {
        response: { 200: schemas.anything, ...failures },
        detail: { summary: "Test a connector", description: "Connects for real." },
      },
    )
    .get(
      "/:connector_id/schema/:table_name",
      async ({ params: { connector_id, table_name } }) => {
        const { columns, rowCount, indexes } = await connectors.schema(number(connector_id), table_name);
        return { table_name, columns: columns.map(shownColumn), row_count: rowCount, indexes };
      },
      {
        response: { 200: schemas.anything, ...failures },
        detail: { summary: "A table's columns", description: "`table` or `schema.table`." },
      },
    );
}
