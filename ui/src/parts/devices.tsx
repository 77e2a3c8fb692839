// The devices on which a person is known: a sign-in there is no news, and a stranger's failures do not delay it.
import { Badge, Button, Group, Modal, Stack, Text } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { getAll, remove, type KnownDevice } from "../api";
import { Ago, Failure, placeOf, Waiting } from "./common";
import { Foreign } from "./foreign";

export function Devices() {
  const devices = useQuery({ queryKey: ["devices"], queryFn: () => getAll<KnownDevice>("/devices") });
  const [asked, setAsked] = useState<KnownDevice>();
  const all = devices.data?.data ?? [];
  return (
    <Stack gap="xs">
      <Text size="sm" c="dimmed">A sign-in on one of these, at a place where you were before, is no news. Forget what you have lost, sold or do not know: a sign-in there is told to you again. After a year without one a device is forgotten by itself.</Text>
      <Failure error={devices.error} />
      {devices.isPending && <Waiting what="your devices" />}
      <ul className="rows" aria-label="Your devices">{all.map((d) => <DeviceRow key={d.id} device={d} onForget={() => setAsked(d)} />)}</ul>
      {devices.isSuccess && all.length === 0 && <Text size="sm" c="dimmed">None: your next sign-in is one on a new device, wherever it is.</Text>}
      <Modal opened={!!asked} onClose={() => setAsked(undefined)} title="Forget a device" closeButtonProps={{ "aria-label": "Close" }}>
        {asked && <Forget device={asked} onDone={() => setAsked(undefined)} />}
      </Modal>
    </Stack>
  );
}

function DeviceRow({ device: d, onForget }: { device: KnownDevice; onForget: () => void }) {
  return (
    <li>
      <div className="row-text">
        <b><Foreign text={d.device} /></b> {d.current && <Badge variant="light" color="green">this one</Badge>}
        <Text size="sm" c="dimmed">last sign-in <Ago at={d.last_sign_in_at} /> from <Foreign text={d.address} /> (<Foreign text={placeOf(d)} />), known since <Ago at={d.first_sign_in_at} />, {sessions(d)}</Text>
      </div>
      <Button size="xs" variant="default" aria-label={`Forget ${d.device}, last sign-in from ${d.address}`} onClick={onForget}>Forget</Button>
    </li>
  );
}

const sessions = (d: KnownDevice) => d.sessions === 0 ? "not signed in" : d.sessions === 1 ? "signed in" : `${d.sessions} sessions`;

function Forget({ device: d, onDone }: { device: KnownDevice; onDone: () => void }) {
  const queries = useQueryClient();
  const forget = useMutation({
    mutationFn: () => remove(`/devices/${d.id}`),
    onSuccess: async () => { await Promise.all(["devices", "sessions"].map((k) => queries.invalidateQueries({ queryKey: [k] }))); onDone(); },
  });
  const others = d.sessions - (d.current ? 1 : 0);
  return (
    <Stack>
      <Text><Foreign text={d.device} />: its next sign-in is one on a new device.{d.current && " You stay signed in here."}{others > 0 && ` It is signed out at once (${others === 1 ? "one session" : `${others} sessions`}).`}</Text>
      <Text size="sm" c="dimmed">Did somebody else sign in there? Say so at that session instead: This was not me.</Text>
      <Failure error={forget.error} />
      <Group><Button data-autofocus loading={forget.isPending} onClick={() => forget.mutate()}>Forget it</Button></Group>
    </Stack>
  );
}
