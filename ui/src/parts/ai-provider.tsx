// Who answers as the organisation's AI. The key is a stored secret that is named here; its value never comes to this page.
import { Alert, Button, Group, NativeSelect, Stack, Text, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "wouter";
import { get, post, putPlain, remove, type AiProvider, type List, type Secret } from "../api";
import { useMay } from "../session";
import { Ago, Failure } from "./common";
import { Foreign } from "./foreign";

const names: Record<string, string> = { anthropic: "Anthropic", openai: "OpenAI", gemini: "Google Gemini", ollama: "Ollama", openai_compatible: "OpenAI-compatible endpoint" };

export function ProviderSetting() {
  const may = useMay("secret.ai");
  const [choosing, setChoosing] = useState(false);
  const queries = useQueryClient();
  const now = useQuery({ queryKey: ["ai-provider"], queryFn: () => get<AiProvider>("/ai/provider") });
  const again = async () => {
    await Promise.all([queries.invalidateQueries({ queryKey: ["ai-provider"] }), queries.invalidateQueries({ queryKey: ["pilot"] })]);
    setChoosing(false);
  };
  const drop = useMutation({ mutationFn: () => remove("/ai/provider"), onSuccess: again });
  if (!now.data) return <Failure error={now.error} />;
  const chosen = now.data.chosen;
  return (
    <section aria-label="Who answers">
      <Text fw={600}>Who answers: {chosen ? names[chosen.provider] : now.data.builtin ? "built-in, no model" : "as installed"}</Text>
      <Text size="sm" c="dimmed">
        {chosen ? <><Foreign text={chosen.model} /> at <Foreign text={chosen.base_url} />. {chosen.key ? <>Key: {chosen.key.name ? <Foreign text={chosen.key.name} /> : "deleted, so nothing is answered"}. </> : "Without a key. "}
                  Chosen <Ago at={chosen.changed_at} /> by <Foreign text={chosen.changed_by.email} />.</>
          : "Nobody chose a provider here. What is asked, and what the AI looks at for it, goes to whoever answers."}
      </Text>
      {may && !choosing && (
        <Group mt="xs">
          <Button size="xs" variant="default" onClick={() => setChoosing(true)}>{chosen ? "Choose another" : "Choose a provider"}</Button>
          {chosen && <Button size="xs" variant="default" loading={drop.isPending} onClick={() => drop.mutate()}>As installed</Button>}
        </Group>
      )}
      <Failure error={drop.error} />
      {choosing && <Choose now={now.data} onDone={again} onLeave={() => setChoosing(false)} />}
    </section>
  );
}

function Choose({ now, onDone, onLeave }: { now: AiProvider; onDone: () => Promise<void>; onLeave: () => void }) {
  const [provider, setProvider] = useState<string>(now.chosen?.provider ?? "anthropic");
  const own = now.vendors.find((v) => v.provider === provider)?.base_url ?? "";
  const [address, setAddress] = useState(now.chosen && now.chosen.base_url !== own ? now.chosen.base_url : "");
  const [secret, setSecret] = useState(now.chosen?.key?.name ?? "");
  const [model, setModel] = useState(now.chosen?.model ?? "");
  const keys = useQuery({ queryKey: ["secrets", "ai_provider", "all"], queryFn: () => get<List<Secret>>("/secrets?kind=ai_provider&limit=200") });
  const where = { provider, ...(address.trim() && { base_url: address.trim() }), ...(secret && { secret }) };
  const test = useMutation({ mutationFn: () => post<{ models: string[] }>("/ai/provider/test", where), onSuccess: (r) => { if (!r.models.includes(model)) setModel(r.models[0] ?? ""); } });
  const save = useMutation({ mutationFn: () => putPlain("/ai/provider", { ...where, model: model.trim(), ...(now.chosen?.provider === provider && { max_tokens: now.chosen.max_tokens }) }), onSuccess: onDone });
  const other = () => { test.reset(); setModel(""); };  // of another provider, models are others
  const elsewhere = () => { setSecret(""); other(); };  // a key is not sent where it was not chosen for
  return (
    <Stack component="form" mt="xs" aria-label="Choose a provider" onSubmit={(e: React.FormEvent) => { e.preventDefault(); save.mutate(); }}>
      <NativeSelect label="Provider" value={provider} onChange={(e) => { setProvider(e.currentTarget.value); setAddress(""); elsewhere(); }} data={now.vendors.map((v) => ({ value: v.provider, label: names[v.provider] ?? v.provider }))} />
      <TextInput label="Address" description={own ? `Empty: ${own}` : "https://…, as its documentation has it"} required={!own} maxLength={2048} value={address} onChange={(e) => { setAddress(e.currentTarget.value); elsewhere(); }} />
      <NativeSelect label="Key" value={secret} onChange={(e) => { setSecret(e.currentTarget.value); other(); }}
                    data={[{ value: "", label: "none" }, ...(keys.data?.data ?? []).map((s) => ({ value: s.name, label: s.name }))]} />
      <Text size="sm">A key is a secret of the kind “AI provider key”: <Link href="/secrets">Secrets</Link>.</Text>
      <Group><Button size="xs" variant="default" loading={test.isPending} disabled={!own && !address.trim()} onClick={() => test.mutate()}>Test the connection</Button></Group>
      <Failure error={test.error} />
      {test.data && <Alert color="green" role="status">The provider takes it, and has {test.data.models.length} models.</Alert>}
      {test.data && test.data.models.length > 0
        ? <NativeSelect label="Model" value={model} onChange={(e) => setModel(e.currentTarget.value)} data={test.data.models} />
        : <TextInput label="Model" description="Test the connection to choose from what the provider has." required maxLength={256} value={model} onChange={(e) => setModel(e.currentTarget.value)} />}
      <Group>
        <Button type="submit" size="xs" loading={save.isPending} disabled={!model.trim()}>Save</Button>
        <Button size="xs" variant="default" onClick={onLeave}>Leave it</Button>
      </Group>
      <Failure error={save.error} />
    </Stack>
  );
}
