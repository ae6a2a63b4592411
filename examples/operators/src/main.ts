// What an operator does every day, in a few lines each:
//
//   node dist/main.js list [STATE]          every user, as lines of JSON
//   node dist/main.js invite ADDRESS        make a user, who gets a mail
//   node dist/main.js sign-out ADDRESS      end all sessions of a user
//   node dist/main.js history ADDRESS       what happened to a user lately
import type { VariablesOf } from "gql.tada";
import { graphql, Postern, Refused } from "./postern.js";

const Users = graphql(`
  query Users($where: UserFilter, $after: String) {
    users(where: $where, orderBy: { by: CREATED_AT }, first: 100, after: $after) {
      nodes { id email displayName roles disabled createdAt lastSeen }
      pageInfo { hasNextPage endCursor }
    }
  }
`);

const Invite = graphql(`
  mutation Invite($email: String!) {
    createUser(input: { email: $email, invitation: {} }) {
      user { id email }
    }
  }
`);

const SignOut = graphql(`
  mutation SignOut($id: UUID!) {
    endSessions(input: { userIds: [$id] }) {
      ended
    }
  }
`);

const History = graphql(`
  query History($id: UUID!) {
    user(id: $id) {
      auditEntries(first: 20) { at event actorId detail }
    }
  }
`);

type Where = VariablesOf<typeof Users>["where"];

/** Every user that a filter lets through, page by page. */
async function* users(postern: Postern, where: Where) {
  for (let after: string | null | undefined = undefined; ; ) {
    const page: Awaited<ReturnType<typeof list>> = await list(postern, where, after);
    yield* page.nodes;
    if (!page.pageInfo.hasNextPage) return;
    after = page.pageInfo.endCursor;
  }
}

async function list(postern: Postern, where: Where, after: string | null | undefined) {
  return (await postern.ask(Users, { where, after })).users;
}

/** The user with an address. */
async function byEmail(postern: Postern, email: string) {
  for await (const user of users(postern, { email: { equals: email } })) return user;
  throw new Refused("not-found", `nobody has the address ${email}`);
}

async function main(command = "", argument = ""): Promise<void> {
  const postern = Postern.fromEnv();
  switch (command) {
    case "list": {
      const state = (argument || undefined) as NonNullable<Where>["state"];
      for await (const user of users(postern, state ? { state } : {})) console.log(JSON.stringify(user));
      return;
    }
    case "invite": {
      const { createUser } = await postern.ask(Invite, { email: argument });
      console.log(`${createUser.user.email} is invited, as ${createUser.user.id}`);
      return;
    }
    case "sign-out": {
      const { endSessions } = await postern.ask(SignOut, { id: (await byEmail(postern, argument)).id });
      console.log(`${endSessions.ended} sessions ended`);
      return;
    }
    case "history": {
      const { user } = await postern.ask(History, { id: (await byEmail(postern, argument)).id });
      for (const entry of user?.auditEntries ?? []) console.log(entry.at, entry.event, JSON.stringify(entry.detail));
      return;
    }
    default:
      throw new Error("say list, invite, sign-out or history");
  }
}

try {
  await main(...process.argv.slice(2));
} catch (e) {
  console.error(e instanceof Refused ? `refused (${e.code}): ${e.message}` : (e as Error).message);
  process.exitCode = 1;
}
