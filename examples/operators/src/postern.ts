// A client of Postern's API for operators: every operation is checked against the schema when it is
// compiled, and its answer has the type that the schema says.
import { initGraphQLTada, type TadaDocumentNode } from "gql.tada";
import { print } from "@0no-co/graphql.web";
import type { introspection } from "./schema.js";

export const graphql = initGraphQLTada<{
  introspection: introspection;
  scalars: { UUID: string; Time: string; JSON: unknown };
}>();

/** What the API says no with. The code stays as it is within a major version; the message is for people. */
export class Refused extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

export class Postern {
  constructor(
    private readonly url: string,
    private readonly headers: Record<string, string>,
  ) {}

  /** The client of the environment: POSTERN_URL and HASURA_GRAPHQL_ADMIN_SECRET. */
  static fromEnv(): Postern {
    const { POSTERN_URL = "http://localhost:4000", HASURA_GRAPHQL_ADMIN_SECRET } = process.env;
    if (!HASURA_GRAPHQL_ADMIN_SECRET) throw new Error("set HASURA_GRAPHQL_ADMIN_SECRET; 'postern dev' prints it");
    return new Postern(new URL("/graphql", POSTERN_URL).href, { "X-Hasura-Admin-Secret": HASURA_GRAPHQL_ADMIN_SECRET });
  }

  async ask<Data, Variables>(operation: TadaDocumentNode<Data, Variables>, variables: Variables): Promise<Data> {
    const response = await fetch(this.url, {
      method: "POST",
      headers: { "Content-Type": "application/json", ...this.headers },
      body: JSON.stringify({ query: print(operation), variables }),
    });
    const { data, errors } = (await response.json()) as {
      data?: Data;
      errors?: { message: string; extensions?: { code?: string } }[];
    };
    const error = errors?.[0];
    if (error) throw new Refused(error.extensions?.code ?? "internal", error.message);
    if (data === undefined || data === null) throw new Refused("internal", `status ${response.status} and no data`);
    return data;
  }
}
