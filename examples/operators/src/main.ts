import { graphql, Postern } from "./postern.js";

const WhoAmI = graphql(`{ operator { userId rights } }`);
const postern = Postern.fromEnv();
console.log((await postern.ask(WhoAmI, {})).operator.rights);
