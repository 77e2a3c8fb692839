// The one dialog that asks for the password again, wherever on the pages something risky was sent.
import { Button, Group, Modal, PasswordInput, Stack, Text } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { onStepUp, postPlain } from "../api";
import { Failure } from "./common";

export function StepUpDialog() {
  const [asking, setAsking] = useState(false);
  const answer = useRef<(yes: boolean) => void>(() => undefined);
  useEffect(() => {
    onStepUp(() => new Promise((resolve) => { answer.current = resolve; setAsking(true); }));
    return () => onStepUp(null);
  }, []);
  const done = (yes: boolean) => { setAsking(false); answer.current(yes); };
  return (
    <Modal opened={asking} onClose={() => done(false)} title="Enter your password again" zIndex={300} closeButtonProps={{ "aria-label": "Close" }}>
      {asking && <Ask onDone={done} />}
    </Modal>
  );
}

function Ask({ onDone }: { onDone: (yes: boolean) => void }) {
  const [password, setPassword] = useState("");
  const prove = useMutation({ mutationFn: () => postPlain("/session/step-up", { password }), onSuccess: () => onDone(true) });
  return (
    <Stack component="form" onSubmit={(e: React.FormEvent) => { e.preventDefault(); e.stopPropagation(); prove.mutate(); }}>
      <Text size="sm">What you are about to do needs a fresh proof that it is you. It holds for five minutes.</Text>
      <PasswordInput label="Your password" name="password" required data-autofocus autoComplete="current-password"
                     value={password} onChange={(e) => setPassword(e.currentTarget.value)}
                     visibilityToggleButtonProps={{ "aria-label": "Show password", tabIndex: 0 }} />
      <Failure error={prove.error} />
      <Group justify="flex-end">
        <Button variant="default" onClick={() => onDone(false)}>Cancel</Button>
        <Button type="submit" loading={prove.isPending}>Continue</Button>
      </Group>
    </Stack>
  );
}
