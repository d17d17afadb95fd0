//! `clientele.v1.TagService`, and the tags that a request names.

use std::collections::HashMap;

use tonic::{Request, Response, Status};

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
    error::Error,
    grpc::{
        admit, admit_mutation,
        convert::{caller_options, page_size},
        fit, of_mutation, of_read,
        pb::{self, tag_service_server::TagService},
        refuse,
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
    async fn list_tags(&self, request: Request<pb::ListTagsRequest>) -> Result<Response<pb::ListTagsResponse>, Status> {
        let (caller, message): (Caller, _) = admit(request)?;
        let pb::ListTagsRequest { page_size: size, page_token } = message;
        let mut violations = Violations::default();
        let size = page_size(&mut violations, size);
        let size = violations.finish(size).map_err(refuse)?;
        let page = self.tags.list(&caller, size, &page_token).await.map_err(of_read)?;
        let (tags, cut) = fit(page.items.iter().map(use_out).collect());
        let last = page.items.get(tags.len().wrapping_sub(1)).filter(|_| cut || page.more);
        let next_page_token =
            last.map(|last| self.tags.tags_after(&caller, last)).transpose().map_err(of_read)?.unwrap_or_default();
        Ok(Response::new(pb::ListTagsResponse { tags, next_page_token }))
    }

    async fn create_tag(
        &self,
        request: Request<pb::CreateTagRequest>,
    ) -> Result<Response<pb::CreateTagResponse>, Status> {
        let (caller, message): (Caller, _) = admit_mutation(request)?;
        let mut violations = Violations::default();
        let options = caller_options(&mut violations, &caller, &message);
        let pb::CreateTagRequest { name, request_id: _, validate_only: _ } = message;
        let name = violations.check("name", TagName::parse(&name));
        let (name, options) = violations.finish(name.zip(options)).map_err(refuse)?;
        let outcome = self.tags.create(&caller, &name, &options).await.map_err(of_mutation(&options))?;
        let Answer::Tag { tag } = outcome.value else { return Err(other_answer()) };
        let mut tag = tag_out(&tag);
        if options.validate_only {
            // Nobody can find it by this id.
            tag.id.clear();
        }
        Ok(Response::new(pb::CreateTagResponse { tag: Some(tag), replayed: outcome.replayed }))
    }

    async fn rename_tag(
        &self,
        request: Request<pb::RenameTagRequest>,
    ) -> Result<Response<pb::RenameTagResponse>, Status> {
        let (caller, message): (Caller, _) = admit_mutation(request)?;
        let mut violations = Violations::default();
        let options = caller_options(&mut violations, &caller, &message);
        let pb::RenameTagRequest { tag_id, name, request_id: _, validate_only: _ } = message;
        let id = violations.check("tag_id", TagId::parse(&tag_id));
        let name = violations.check("name", TagName::parse(&name));
        let ((id, name), options) = violations.finish(id.zip(name).zip(options)).map_err(refuse)?;
        let outcome = self.tags.rename(&caller, id, &name, &options).await.map_err(of_mutation(&options))?;
        let Answer::Tag { tag } = outcome.value else { return Err(other_answer()) };
        Ok(Response::new(pb::RenameTagResponse { tag: Some(tag_out(&tag)), replayed: outcome.replayed }))
    }

    async fn delete_tag(
        &self,
        request: Request<pb::DeleteTagRequest>,
    ) -> Result<Response<pb::DeleteTagResponse>, Status> {
        let (caller, message): (Caller, _) = admit_mutation(request)?;
        let mut violations = Violations::default();
        let options = caller_options(&mut violations, &caller, &message);
        let pb::DeleteTagRequest { tag_id, request_id: _, validate_only: _ } = message;
        let id = violations.check("tag_id", TagId::parse(&tag_id));
        let (id, options) = violations.finish(id.zip(options)).map_err(refuse)?;
        let outcome = self.tags.delete(&caller, id, &options).await.map_err(of_mutation(&options))?;
        let Answer::TagDeleted { customers } = outcome.value else { return Err(other_answer()) };
        let customer_count = i32::try_from(customers).unwrap_or(i32::MAX);
        Ok(Response::new(pb::DeleteTagResponse { customer_count, replayed: outcome.replayed }))
    }
}

fn other_answer() -> Status {
    of_read(Error::internal("the stored answer is of another kind"))
}

/// A tag as it is told.
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

/// The tags that a request puts on and takes off: one that is named again counts once, one that is in both lists is an
/// error.
pub(super) fn tag_names(violations: &mut Violations, add: &[String], remove: &[String]) -> Option<TagNames> {
    if add.is_empty() && remove.is_empty() {
        violations.push("add_tags", Rule::new("must name a tag, unless remove_tags does"));
        return None;
    }
    let (added, removed) = (listed(violations, "add_tags", add), listed(violations, "remove_tags", remove));
    let places: HashMap<String, usize> =
        added.iter().flatten().map(|(place, name)| (name.key().as_str().to_owned(), *place)).collect();
    for (place, name) in removed.iter().flatten() {
        if let Some(other) = places.get(name.key().as_str()) {
            let rule = Rule::with(format!("must not be in both lists; add_tags[{other}] is the same tag"));
            violations.push(format!("remove_tags[{place}]"), rule);
        }
    }
    let names = |listed: Vec<(usize, TagName)>| listed.into_iter().map(|(_, name)| name).collect();
    Some(TagNames { add: names(added?), remove: names(removed?) })
}

/// The names of one list, each with its place.
fn listed(violations: &mut Violations, field: &str, raw: &[String]) -> Option<Vec<(usize, TagName)>> {
    if raw.len() > Tag::MAX_ON_CUSTOMER {
        let rule = Rule::with(format!("must be at most {} names; these are {}", Tag::MAX_ON_CUSTOMER, raw.len()));
        violations.push(field, rule);
        return None;
    }
    let mut names: Vec<(usize, TagName)> = Vec::with_capacity(raw.len());
    for (place, raw) in raw.iter().enumerate() {
        if let Some(name) = violations.check(format!("{field}[{place}]"), TagName::parse(raw))
            && !names.iter().any(|(_, other)| other.key() == name.key())
        {
            names.push((place, name));
        }
    }
    Some(names)
}
