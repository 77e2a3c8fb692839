// The command that installs an agent, once it was made: shown once, and it works once.
import { Code, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "wouter";
import { getAll, type Enrolment, type Server } from "../api";
import { duration } from "../format";
import { Copy, useNow } from "./common";
import { ExactBytes, Foreign } from "./foreign";

export function InstallCommand({ enrolment: e, onClose }: { enrolment: Enrolment; onClose: () => void }) {
  const now = useNow();
  const servers = useQuery({ queryKey: ["servers"], queryFn: () => getAll<Server>("/servers"), refetchInterval: 5000 });
  const arrived = servers.data?.data.find((s) => s.name === e.name);
  const left = (Date.parse(e.expires_at) - now) / 1000;
  const command = e.install_command ?? "";
  return (
    <Stack>
      <Text>Run this as root on <b><Foreign text={e.name} /></b>. It checks this control plane's certificate against the fingerprint in it, and works once.</Text>
      <Code block className="bytes" tabIndex={0} aria-label="Install command"><ExactBytes text={command} /></Code>
      <div className="row-between">
        <Text size="sm" c={left > 0 ? "dimmed" : "red"}>{left > 0 ? `Valid for ${duration(left)}` : "Expired. Make a new one."}</Text>
        <Copy text={command} what="install command" />
      </div>
      <Text role="status">
        {arrived ? <>Here it is: <Link href={`/servers/${arrived.id}`} onClick={onClose}><Foreign text={arrived.name} /></Link>.</> : "Waiting for the server…"}
      </Text>
    </Stack>
  );
}
