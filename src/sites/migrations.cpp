#include "sites/migrations.h"

namespace caip::sites {

storage::Migrations migrations() {
  return {// spec, wanted: canonical JSON.
          {"sites/1 sites", R"sql(
    CREATE TABLE sites (
      id TEXT PRIMARY KEY,
      org TEXT NOT NULL,
      server TEXT NOT NULL,
      name TEXT NOT NULL,
      spec TEXT NOT NULL,
      wanted TEXT,
      state TEXT NOT NULL CHECK (state IN ('fresh','live','deleted','unknown')),
      operation TEXT,
      doing TEXT NOT NULL DEFAULT '',
      ends INTEGER,
      created INTEGER NOT NULL,
      changed INTEGER NOT NULL,
      UNIQUE (org, name)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX sites_server ON sites (server);
    CREATE INDEX sites_ends ON sites (ends) WHERE ends IS NOT NULL;
    CREATE TABLE site_domains (
      server TEXT NOT NULL,
      domain TEXT NOT NULL,
      site TEXT NOT NULL,
      PRIMARY KEY (server, domain)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX site_domains_site ON site_domains (site);
  )sql"}};
}

}  // namespace caip::sites
