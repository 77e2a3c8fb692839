import { Button } from "@mantine/core";

interface Pages { hasNextPage: boolean; isFetchingNextPage: boolean; fetchNextPage: () => unknown }
export function More({ query }: { query: Pages }) {
  if (!query.hasNextPage) return null;
  return <Button mt="md" variant="default" loading={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>Show more</Button>;
}
