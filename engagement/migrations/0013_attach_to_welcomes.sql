-- What follows a welcome's text, after the link. The release before sends the text and the link alone.
alter table welcome_rules add column attachments jsonb;
alter table archived_welcome_rules add column attachments jsonb;

-- Without how many of its rule's attachments one was sent.
alter table welcomes add column attachments_left_out int;

-- What WeCom calls the files of rules, for the three days that it keeps them.
create table welcome_media (
    corp_id text not null,
    file_id uuid not null,
    -- As media/upload calls it.
    kind text not null check (kind in ('image', 'file')),
    media_id text,
    expires_at timestamptz,
    -- WeCom's answer, where it refused the file.
    errcode int,
    -- When it is uploaded (again).
    try_at timestamptz not null,
    primary key (corp_id, file_id, kind)
);
