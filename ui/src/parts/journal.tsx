import { Autocomplete, Button, Code, Group, NativeSelect, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { getAll, type Server, type Service } from "../api";
import { asText } from "../format";
import { Foreign } from "./foreign";
import { OperationLine, useOperation } from "./operation";

// A journal comes as lines, as one text, or as {lines} or {text}; what else it may be is shown as it is.
function journalText(result: unknown): string {
  if (Array.isArray(result)) return result.map(asText).join("\n");
  if (result && typeof result === "object") {
    for (const key of ["lines", "text", "journal", "output"]) {
      const inner = (result as Record<string, unknown>)[key];
      if (inner !== undefined) return journalText(inner);
    }
  }
  return asText(result);
}

export function Journal({ server }: { server: Server }) {
  const services = useQuery({ queryKey: ["services", server.id], queryFn: () => getAll<Service>(`/servers/${server.id}/services`) });
  const [unit, setUnit] = useState("");
  const [lines, setLines] = useState("50");
  const { start, operation, busy, error } = useOperation(server.id);
  const text = operation?.status === "succeeded" ? journalText(operation.result) : null;
  return (
    <Stack component="form" onSubmit={(e: React.FormEvent) => { e.preventDefault(); start.mutate({ type: "journal.read", unit: unit.trim(), lines: Number(lines) }); }}>
      <Group align="end">
        <Autocomplete className="grow" label="Unit" placeholder="nginx.service" required value={unit} onChange={setUnit}
                      data={services.data?.data.map((s) => s.unit) ?? []} limit={12}
                      renderOption={({ option }) => <Foreign text={option.value} />} comboboxProps={{ withinPortal: false }} />
        <NativeSelect label="Lines" value={lines} onChange={(e) => setLines(e.currentTarget.value)} data={["20", "50", "100", "200", "500"]} />
        <Button type="submit" loading={busy} disabled={!server.online}>Read</Button>
      </Group>
      {(error || operation?.status !== "succeeded") && <OperationLine operation={operation} error={error} />}
      {text === "" && <Text>The journal has no lines for this unit.</Text>}
      {text && <Code block className="bytes tall" tabIndex={0} aria-label="Journal lines"><Foreign text={text} lines /></Code>}
    </Stack>
  );
}
