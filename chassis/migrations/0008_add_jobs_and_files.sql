-- Long work, done step by step: what a crash leaves is gone on with from the last step that was committed.
create table jobs (
    corp_id text not null,
    job_id uuid not null,
    kind text not null,
    title text not null default '',
    state text not null default 'QUEUED'
        check (state in ('QUEUED', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELLED')),
    -- What was asked for: a message of the kind's own, sealed, since filters may hold personal data.
    sealed_request bytea not null,
    -- Where the next step begins; empty for the first.
    position text not null default '',
    done bigint not null default 0,
    total bigint,
    -- A userid, or key: and the id of an API key; and the role in which it was asked for.
    created_by text not null,
    created_role text not null,
    created_at timestamptz not null default now(),
    started_at timestamptz,
    -- When the last step was committed.
    stepped_at timestamptz,
    ended_at timestamptz,
    result_file_id uuid,
    error_file_id uuid,
    failure text not null default '',
    failure_detail text not null default '',
    -- Of the claim that works on it: a step of an older one changes nothing.
    claim_no bigint not null default 0,
    announced_at timestamptz,
    primary key (corp_id, job_id)
);
create index jobs_of_creator on jobs (corp_id, created_by, job_id);
create index jobs_ended on jobs (ended_at) where ended_at is not null;

-- Files: what is known of them. Their content lies in the blob store, in sealed parts.
create table files (
    corp_id text not null,
    file_id uuid not null,
    purpose text not null,
    sealed_name bytea not null,
    content_type text not null,
    size bigint not null default 0,
    -- Hexadecimal; null until the file is whole.
    sha256 text,
    created_by text not null,
    created_role text not null,
    created_at timestamptz not null default now(),
    -- When it became whole: nobody gets it before.
    ready_at timestamptz,
    expires_at timestamptz,
    primary key (corp_id, file_id)
);
create index files_expiring on files (expires_at) where expires_at is not null;

create table file_parts (
    corp_id text not null,
    file_id uuid not null,
    part int not null,
    -- The last piece of its path in the blob store; a part that was tried twice has two objects there.
    object text not null,
    size int not null,
    primary key (corp_id, file_id, part),
    foreign key (corp_id, file_id) references files on delete cascade
);
