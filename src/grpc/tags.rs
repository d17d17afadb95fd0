//! `clientele.v1.TagService`, and the tags that requests name.

use std::collections::HashMap;

use tonic::Request;

use crate::{
    domain::{
        access::caller::Caller,
        requests::answer::Answer,
        tags::tag::{Tag, TagName, TagUse},
        values::{
            ids::TagId,
            violation::{Rule, Violations},
        },
    },
    error::Result,
    grpc::{
        convert::page_size,
        handler::{Answered, mutate, other_answer, page, read},
        pb::{self, tag_service_server::TagService},
    },
    service::{Services, customers::TagNames, tags::Tags},
};

/// The service's handlers.
pub(super) struct Handlers {
    tags: Tags,
}

impl Handlers {
    pub(super) fn new(services: &Services) -> Self {
        Self { tags: services.tags.clone() }
    }
}

#[tonic::async_trait]
impl TagService for Handlers {
    async fn list_tags(&self, request: Request<pb::ListTagsRequest>) -> Answered<pb::ListTagsResponse> {
        read(
            request,
            |violations, _, pb::ListTagsRequest { page_size: size, page_token }| {
                page_size(violations, size).map(|size| (size, page_token))
            },
            async |caller: &Caller, (size, token)| {
                let tags = self.tags.list(caller, size, &token).await?;
                let token = |(last, _): &(_, _)| self.tags.tags_token(caller, last);
                let (tags, next_page_token) = page(&tags, |(_, used)| use_out(used), token)?;
                Ok(pb::ListTagsResponse { tags, next_page_token })
            },
        )
        .await
    }

    async fn create_tag(&self, request: Request<pb::CreateTagRequest>) -> Answered<pb::CreateTagResponse> {
        mutate(
            request,
            |violations, _, pb::CreateTagRequest { name, request_id: _, validate_only: _ }| {
                violations.check("name", TagName::parse(&name))
            },
            async |caller: &Caller, name, options| {
                let outcome = self.tags.create(caller, &name, options).await?;
                let mut tag = tag_of(&outcome.value)?;
                if options.validate_only {
                    // It is not stored, so its id finds nothing.
                    tag.id.clear();
                }
                Ok(pb::CreateTagResponse { tag: Some(tag), replayed: outcome.replayed })
            },
        )
        .await
    }

    async fn rename_tag(&self, request: Request<pb::RenameTagRequest>) -> Answered<pb::RenameTagResponse> {
        mutate(
            request,
            |violations, _, pb::RenameTagRequest { tag_id, name, request_id: _, validate_only: _ }| {
                let id = violations.check("tag_id", TagId::parse(&tag_id));
                id.zip(violations.check("name", TagName::parse(&name)))
            },
            async |caller: &Caller, (id, name), options| {
                let outcome = self.tags.rename(caller, id, &name, options).await?;
                Ok(pb::RenameTagResponse { tag: Some(tag_of(&outcome.value)?), replayed: outcome.replayed })
            },
        )
        .await
    }

    async fn delete_tag(&self, request: Request<pb::DeleteTagRequest>) -> Answered<pb::DeleteTagResponse> {
        mutate(
            request,
            |violations, _, pb::DeleteTagRequest { tag_id, request_id: _, validate_only: _ }| {
                violations.check("tag_id", TagId::parse(&tag_id))
            },
            async |caller: &Caller, id, options| {
                let outcome = self.tags.delete(caller, id, options).await?;
                let Answer::TagDeleted { customers } = outcome.value else { return Err(other_answer()) };
                let customer_count = i32::try_from(customers).unwrap_or(i32::MAX);
                Ok(pb::DeleteTagResponse { customer_count, replayed: outcome.replayed })
            },
        )
        .await
    }
}

/// The tag of an answer.
fn tag_of(answer: &Answer) -> Result<pb::Tag> {
    if let Answer::Tag { tag } = answer { Ok(tag_out(tag)) } else { Err(other_answer()) }
}

/// Converts a tag to its message.
pub(super) fn tag_out(tag: &Tag) -> pb::Tag {
    pb::Tag { id: tag.id.to_string(), name: tag.name.as_str().to_owned() }
}

fn use_out(used: &TagUse) -> pb::TagUse {
    pb::TagUse {
        tag: Some(tag_out(&used.tag)),
        customer_count: i32::try_from(used.customers.min(TagUse::COUNTED)).unwrap_or(i32::MAX),
        more_customers: used.customers > TagUse::COUNTED,
    }
}

/// The tags that a request adds and removes. A repeated name counts once; a name in both lists is an error.
pub(super) fn tag_names(violations: &mut Violations, add: &[String], remove: &[String]) -> Option<TagNames> {
    if add.is_empty() && remove.is_empty() {
        violations.push("add_tags", Rule::new("must name a tag, unless remove_tags does"));
        return None;
    }
    let (added, removed) = (listed(violations, "add_tags", add), listed(violations, "remove_tags", remove));
    let indexes: HashMap<String, usize> =
        added.iter().flatten().map(|(index, name)| (name.key().as_str().to_owned(), *index)).collect();
    for (index, name) in removed.iter().flatten() {
        if let Some(other) = indexes.get(name.key().as_str()) {
            let rule = Rule::with(format!("must not be in both lists; add_tags[{other}] is the same tag"));
            violations.push(format!("remove_tags[{index}]"), rule);
        }
    }
    let names = |listed: Vec<(usize, TagName)>| listed.into_iter().map(|(_, name)| name).collect();
    Some(TagNames { add: names(added?), remove: names(removed?) })
}

/// The names of one list, each with its index.
fn listed(violations: &mut Violations, field: &str, raw: &[String]) -> Option<Vec<(usize, TagName)>> {
    if raw.len() > Tag::MAX_ON_CUSTOMER {
        let rule = Rule::with(format!("must be at most {} names; these are {}", Tag::MAX_ON_CUSTOMER, raw.len()));
        violations.push(field, rule);
        return None;
    }
    let mut names: Vec<(usize, TagName)> = Vec::with_capacity(raw.len());
    for (index, raw) in raw.iter().enumerate() {
        if let Some(name) = violations.check(format!("{field}[{index}]"), TagName::parse(raw))
            && !names.iter().any(|(_, other)| other.key() == name.key())
        {
            names.push((index, name));
        }
    }
    Some(names)
}
