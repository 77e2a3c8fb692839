// The second step of a sign-in, whatever the first was.
import { Button, Paper, Stack, Text, TextInput, Title } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { postPlain } from "../api";
import { Failure } from "./common";
import { PasskeyButton } from "./passkeys";

export interface FirstStep { second_factor?: boolean }

export function SecondStep({ onDone, onBack }: { onDone: () => void; onBack: () => void }) {
  const [code, setCode] = useState("");
  const prove = useMutation({ mutationFn: () => postPlain("/sessions/second-factor", { code: code.trim() }), onSuccess: onDone });
  return (
    <Paper withBorder p="lg" className="narrow" component="form" onSubmit={(e: React.FormEvent) => { e.preventDefault(); prove.mutate(); }}>
      <Stack>
        <div><Title order={1} size="h3">One more step</Title>
          <Text c="dimmed" size="sm">Enter the code that your authenticator app shows now, or one of your recovery codes.</Text></div>
        <TextInput label="Code" name="code" autoComplete="one-time-code" required autoFocus maxLength={64} value={code} onChange={(e) => setCode(e.currentTarget.value)} />
        <Failure error={prove.error} />
        <Button type="submit" loading={prove.isPending}>Go on</Button>
        <PasskeyButton onDone={onDone} />
        <Button variant="subtle" onClick={onBack}>Back to sign-in</Button>
      </Stack>
    </Paper>
  );
}
