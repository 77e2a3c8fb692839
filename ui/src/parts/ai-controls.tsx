// What the organisation's AI may do at all. Stopping is one click, always in sight; switching on asks who is there (the
// step-up dialog comes from the request itself).
import { Alert, Button, Group, Modal, Stack, Text } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { get, post, type Ai } from "../api";
import { usePoll } from "../live";
import { useMay } from "../session";
import { Ago, Failure } from "./common";
import { Foreign } from "./foreign";

type Turn = "stop" | "start" | "forbid-writes" | "allow-writes";

export function useAi() {
  return useQuery({ queryKey: ["ai"], queryFn: () => get<Ai>("/ai"), refetchInterval: usePoll() });
}

function useTurn() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (how: Turn) => post<Ai>(`/ai/${how}`, {}),
    onSuccess: async (now) => {
      await queries.cancelQueries({ queryKey: ["ai"] });  // an older answer would say what was
      queries.setQueryData(["ai"], now);
    },
  });
}

function By({ ai }: { ai: Ai }) {
  if (!ai.changed_at) return null;
  return <>Switched <Ago at={ai.changed_at} />{ai.changed_by?.email && <> by <b><Foreign text={ai.changed_by.email} /></b></>}. </>;
}

/** In the head of the Pilot page: the brake, and the way to the rest. */
export function AiButtons({ ai }: { ai: Ai }) {
  const [opened, setOpened] = useState(false);
  const mayStop = useMay("ai.stop");
  const turn = useTurn();
  return (
    <>
      {mayStop && ai.on && <Button size="xs" color="red" loading={turn.isPending} onClick={() => turn.mutate("stop")}>Stop the AI</Button>}
      <Button size="xs" variant="default" onClick={() => setOpened(true)}>AI settings</Button>
      <Failure error={turn.error} />
      <Modal opened={opened} onClose={() => setOpened(false)} title="AI settings" closeButtonProps={{ "aria-label": "Close" }}>
        <Settings ai={ai} />
      </Modal>
    </>
  );
}

/** Where the AI may not do everything: which setting that is, and who changes it. */
export function AiNotice({ ai }: { ai: Ai }) {
  const mayControl = useMay("ai.control");
  const turn = useTurn();
  if (ai.on && ai.writes) return null;
  return (
    <Alert mb="sm" color={ai.on ? "yellow" : "red"} role="status" title={ai.on ? "The AI proposes no changes" : "The AI is stopped"}>
      <Text size="sm" mb="xs">
        <By ai={ai} />
        {ai.on ? "It looks and explains. " : "No question gets in, its answers ended, and what it had proposed was denied. "}
        {!mayControl && "An Owner or Admin switches it on again."}
      </Text>
      {mayControl && <Button size="xs" loading={turn.isPending} onClick={() => turn.mutate(ai.on ? "allow-writes" : "start")}>{ai.on ? "Allow changes to be proposed" : "Start the AI"}</Button>}
      <Failure error={turn.error} />
    </Alert>
  );
}

function Setting({ title, says, children }: { title: string; says: string; children: React.ReactNode }) {
  return (
    <Group justify="space-between" align="flex-start">
      <div><Text fw={600}>{title}</Text><Text size="sm" c="dimmed">{says}</Text></div>
      {children}
    </Group>
  );
}

function Settings({ ai }: { ai: Ai }) {
  const mayStop = useMay("ai.stop"), mayControl = useMay("ai.control");
  const turn = useTurn();
  const button = (how: Turn, text: string, may: boolean) =>
    may && <Button size="xs" variant={how === "stop" ? "filled" : "default"} {...(how === "stop" && { color: "red" })} loading={turn.isPending} onClick={() => turn.mutate(how)}>{text}</Button>;
  return (
    <Stack>
      <Setting title={`AI: ${ai.on ? "on" : "stopped"}`} says="Stopped, it answers nobody in this organisation and proposes nothing.">
        {ai.on ? button("stop", "Stop", mayStop) : button("start", "Start", mayControl)}
      </Setting>
      <Setting title={`Write actions: ${ai.writes ? "may be proposed" : "off"}`} says="Off, it looks and explains. Even where it may propose, nothing runs before a person allows it.">
        {ai.writes ? button("forbid-writes", "Switch off", mayControl) : button("allow-writes", "Allow", mayControl)}
      </Setting>
      <Text size="sm"><By ai={ai} />{mayControl ? "Switching on asks once more who you are." : "Owners and Admins change these."}</Text>
      <Failure error={turn.error} />
    </Stack>
  );
}
