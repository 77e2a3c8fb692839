// What somebody who goes still holds elsewhere, for whoever looks after it.
import { List, Text } from "@mantine/core";
import type { Held } from "../api";
import { Foreign } from "./foreign";

export function StillHeld({ held }: { held: Held }) {
  return (
    <>
      {held.secrets.length > 0 && <Text>They typed in these values and may know them. Replace them: <b><Foreign text={held.secrets.map((s) => s.name).join(", ")} /></b></Text>}
      {held.enrolments.length > 0 && <Text>They have seen install commands that still work: <b><Foreign text={held.enrolments.map((e) => e.name).join(", ")} /></b></Text>}
      <Text>Nobody but you can look after:</Text>
      <List size="sm">{held.by_hand.map((t) => <List.Item key={t}><Foreign text={t} /></List.Item>)}</List>
    </>
  );
}
