// Signing in with, and linking, accounts at other services: there and back again.
import { Button, Divider, Stack } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { get, postPlain } from "../api";
import { Failure } from "./common";
import { Foreign } from "./foreign";

export interface SignInMethods { password: boolean; password_reset: boolean; providers: { id: string; label: string }[] }
export const useSignInMethods = () =>
  useQuery({ queryKey: ["sign-in-methods"], queryFn: () => get<SignInMethods>("/sign-in/methods"), staleTime: 300_000 });

// What the callback page has to do when the browser comes back to this tab. The server checks it besides.
const purposeKey = "caip-linking";
export const takePurpose = () => {
  const linking = sessionStorage.getItem(purposeKey) !== null;
  sessionStorage.removeItem(purposeKey);
  return linking ? "link" : "sign-in";
};

export async function leaveFor(provider: string, purpose: "sign-in" | "link", next: string) {
  const path = purpose === "link" ? "/account/identities/attempts" : "/sign-in/attempts";
  const { location } = await postPlain<{ location: string }>(path, { provider, next });
  if (purpose === "link") sessionStorage.setItem(purposeKey, "1");
  else sessionStorage.removeItem(purposeKey);
  window.location.assign(location);
}

export function ProviderButtons() {
  const methods = useSignInMethods();
  const here = window.location.pathname;
  const leave = useMutation({ mutationFn: (id: string) => leaveFor(id, "sign-in", here.startsWith("/sign-in") ? "/" : here) });
  if (!methods.data?.providers.length) return null;
  return (
    <Stack gap="xs">
      <Divider label="or" />
      {methods.data.providers.map((p) => (
        <Button key={p.id} variant="default" loading={leave.isPending && leave.variables === p.id} onClick={() => leave.mutate(p.id)}>
          <Foreign text={`Continue with ${p.label}`} />
        </Button>
      ))}
      <Failure error={leave.error} />
    </Stack>
  );
}
