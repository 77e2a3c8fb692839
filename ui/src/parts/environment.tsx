// What a server is for. Nobody has to say so, but what nobody has said anything of counts as production.
import { Button, Group, Modal, NativeSelect, Stack, Text } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { put, type Environment, type Server } from "../api";
import { useMay } from "../session";
import { countsAsProduction, Failure } from "./common";
import { Foreign } from "./foreign";

const words: Record<Environment, string> = { unknown: "Unknown (counts as production)", production: "Production", staging: "Staging", development: "Development" };
const protectedOne = (e: Environment) => e === "unknown" || e === "production";

export function EnvironmentPart({ server: s }: { server: Server }) {
  const may = useMay("server.classify");
  const [asking, setAsking] = useState(false);
  return (
    <Group gap="xs">
      <span>{words[s.environment] ?? <Foreign text={s.environment} />}</span>
      {may && <Button size="compact-xs" variant="default" aria-label="Change the environment" onClick={() => setAsking(true)}>Change</Button>}
      <Modal opened={asking} onClose={() => setAsking(false)} title="What is this server for?" closeButtonProps={{ "aria-label": "Close" }}>
        {asking && <Ask server={s} onDone={() => setAsking(false)} />}
      </Modal>
    </Group>
  );
}

function Ask({ server: s, onDone }: { server: Server; onDone: () => void }) {
  const queries = useQueryClient();
  const mayRelease = useMay("production.release");
  const [to, setTo] = useState<Environment>(s.environment);
  const set = useMutation({
    mutationFn: () => put<Server>(`/servers/${encodeURIComponent(s.id)}/environment`, { environment: to }, s.version),
    onSuccess: async () => { await Promise.all([["server"], ["servers"], ["ai-access"]].map((queryKey) => queries.invalidateQueries({ queryKey }))); onDone(); },
  });
  const leaves = countsAsProduction(s) && !protectedOne(to);
  return (
    <Stack component="form" onSubmit={(e: React.FormEvent) => { e.preventDefault(); set.mutate(); }}>
      <NativeSelect label="Environment" data-autofocus value={to} onChange={(e) => setTo(e.currentTarget.value as Environment)}
                    data={Object.entries(words).map(([value, label]) => ({ value, label }))} />
      <Text size="sm">
        {protectedOne(to) ? "While Production Protection is on, the AI proposes nothing here, and an Owner alone disconnects it."
          : "The AI may propose changes here where nothing else keeps it from that, and Admins may disconnect it."}
        {leaves && (mayRelease ? " Every Owner and Admin is told that it counts as production no more." : " That it counts as production no more is an Owner's to say.")}
      </Text>
      <Failure error={set.error} />
      <Group justify="flex-end"><Button type="submit" loading={set.isPending} disabled={to === s.environment || (leaves && !mayRelease)}>Save</Button></Group>
    </Stack>
  );
}
