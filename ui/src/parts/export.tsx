// The log as a file: a table, or with its proof.
import { Button, Group, Text } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { percent } from "../format";
import { save, wholeExport, type Format } from "../log-export";
import { Failure } from "./common";

export function Export({ filters }: { filters: string }) {
  const [share, setShare] = useState(0);
  const make = useMutation({
    mutationFn: async (format: Format) => { setShare(0); save(await wholeExport(filters, format, setShare), `audit.${format}`); },
  });
  return (
    <Group gap="xs" mb="sm">
      <Button size="xs" variant="default" disabled={make.isPending} onClick={() => make.mutate("csv")}>Download as CSV</Button>
      <Button size="xs" variant="default" disabled={make.isPending} onClick={() => make.mutate("bundle")}>Download with proof</Button>
      {make.isPending
        ? <Text size="sm" role="status">{percent(share)} of the log is through…</Text>
        : <Text size="sm" c="dimmed">All entries that match; <code>caip audit verify --bundle</code> checks the proof. An export is an entry too.</Text>}
      <Failure error={make.error} />
    </Group>
  );
}
