import { Stack } from "@mantine/core";
import { Page } from "../parts/common";
import { SecondFactors } from "../parts/factors";
import { SignInMethods } from "../parts/sign-in-methods";

export function AccountPage() {
  return (
    <Page title="Account security">
      <Stack gap="md"><SecondFactors /><SignInMethods /></Stack>
    </Page>
  );
}
