// The parts that run against a real control plane, by name: `node test/run.mjs URL PART...`.
import { accountSecurity } from "./account.mjs";
import { ai, aiAccess } from "./ai.mjs";
import { channels } from "./channels.mjs";
import { logExport } from "./export.mjs";
import { addPasskeyFirst, denied, letIn, letInByPasskey, letInByProvider, linkFirst } from "./command-line.mjs";
import { github } from "./github.mjs";
import { firstKeys, keyboard } from "./keyboard.mjs";
import { emptyState, looks, pages } from "./pages.mjs";
import { roles, team } from "./people.mjs";
import { deadLetters, realLetters } from "./real-letters.mjs";
import { mainJob, openid, openidInvitation, openidLink, openidStepUp, passkey, secondFactor } from "./real.mjs";

export const parts = {
  "first-use": (base) => emptyState(base, process.env.SETUP_TOKEN),
  "first-use-keyboard": firstKeys,
  looks: (base) => Promise.all(looks.map(([width, scheme]) => pages(base, width, scheme))),
  "main-job": mainJob,
  keyboard,
  team,
  roles,
  account: accountSecurity,
  ai,
  "ai-access": aiAccess,
  channels,
  export: logExport,
  "command-line": letIn,
  "command-line-passkey": letInByPasskey,
  "command-line-openid": letInByProvider,
  "command-line-add-passkey": addPasskeyFirst,
  "command-line-link": linkFirst,
  "command-line-denied": denied,
  letters: realLetters,
  "dead-letters": deadLetters,
  github,
  openid,
  passkey,
  "second-factor": secondFactor,
  "openid-link": openidLink,
  "openid-step-up": openidStepUp,
  "openid-invitation": openidInvitation,
};
