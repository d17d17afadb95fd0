//! The handlers of BillingService for features.

use tonic::Request;

use crate::{
    domain::{
        access::caller::Caller,
        billing::feature::{Feature, FeatureCode, FeatureEdit, FeatureName, ServiceClasses},
        requests::answer::Answer,
        values::{
            enums::ServiceClass,
            violation::{Rule, Violations},
        },
    },
    error::Result,
    grpc::{
        convert::{page_size, time_out},
        customers::show::service_class,
        handler::{Answered, mutate, other_answer, page, read},
        pb,
    },
    service::{billing::Billing, clock},
};

pub(super) async fn list(
    billing: &Billing,
    request: Request<pb::ListFeaturesRequest>,
) -> Answered<pb::ListFeaturesResponse> {
    read(
        request,
        |violations, _, pb::ListFeaturesRequest { page_size: size, page_token }| {
            page_size(violations, size).map(|size| (size, page_token))
        },
        async |caller: &Caller, (size, token)| {
            let found = billing.list_features(caller, size, &token).await?;
            let (features, next_page_token) =
                page(&found, feature_out, |last: &Feature| billing.features_token(caller, last))?;
            Ok(pb::ListFeaturesResponse { features, next_page_token })
        },
    )
    .await
}

pub(super) async fn create(
    billing: &Billing,
    request: Request<pb::CreateFeatureRequest>,
) -> Answered<pb::CreateFeatureResponse> {
    mutate(
        request,
        |violations, _, pb::CreateFeatureRequest { feature, request_id: _, validate_only: _ }| {
            let pb::Feature { code, name, chargeable, service_classes, retired, create_time: _ } =
                feature.unwrap_or_default();
            let code = violations.check("feature.code", FeatureCode::parse(&code));
            let name = violations.check("feature.name", FeatureName::parse(&name));
            let classes = self::service_classes(violations, &service_classes);
            code.zip(name).zip(classes).map(|((code, name), service_classes)| Feature {
                code,
                name,
                chargeable,
                service_classes,
                retired,
                created_at: clock::now(),
            })
        },
        async |caller: &Caller, feature, options| {
            let outcome = billing.create_feature(caller, &feature, options).await?;
            Ok(pb::CreateFeatureResponse { feature: Some(feature_of(&outcome.value)?), replayed: outcome.replayed })
        },
    )
    .await
}

pub(super) async fn update(
    billing: &Billing,
    request: Request<pb::UpdateFeatureRequest>,
) -> Answered<pb::UpdateFeatureResponse> {
    mutate(
        request,
        |violations, _, pb::UpdateFeatureRequest { feature, update_mask, request_id: _, validate_only: _ }| {
            let feature = feature.unwrap_or_default();
            let code = violations.check("feature.code", FeatureCode::parse(&feature.code));
            code.zip(edit(violations, &feature, update_mask))
        },
        async |caller: &Caller, (code, edit), options| {
            let outcome = billing.update_feature(caller, &code, &edit, options).await?;
            Ok(pb::UpdateFeatureResponse { feature: Some(feature_of(&outcome.value)?), replayed: outcome.replayed })
        },
    )
    .await
}

/// Reads the fields that a mask names.
fn edit(
    violations: &mut Violations,
    feature: &pb::Feature,
    mask: Option<prost_types::FieldMask>,
) -> Option<FeatureEdit> {
    let paths = mask.map(|mask| mask.paths).unwrap_or_default();
    let mut edit = FeatureEdit::default();
    if paths.is_empty() {
        violations.push("update_mask", Rule::new("must name name, chargeable, service_classes or retired"));
    }
    for (index, path) in paths.iter().enumerate() {
        match path.as_str() {
            "name" => edit.name = violations.check("feature.name", FeatureName::parse(&feature.name)),
            "chargeable" => edit.chargeable = Some(feature.chargeable),
            "service_classes" => edit.service_classes = service_classes(violations, &feature.service_classes),
            "retired" => edit.retired = Some(feature.retired),
            other => {
                let rule = match other {
                    "code" => Rule::new("must not name code: it never changes"),
                    "create_time" => Rule::new("must not name create_time: the server sets it"),
                    _ => Rule::new("must be name, chargeable, service_classes or retired"),
                };
                violations.push(format!("update_mask.paths[{index}]"), rule);
            }
        }
    }
    Some(edit)
}

fn service_classes(violations: &mut Violations, raw: &[i32]) -> Option<ServiceClasses> {
    let mut classes = Vec::new();
    for (index, raw) in raw.iter().enumerate() {
        classes.push(match pb::ServiceClass::try_from(*raw) {
            Ok(pb::ServiceClass::Normal) => ServiceClass::Normal,
            Ok(pb::ServiceClass::Residential) => ServiceClass::Residential,
            Ok(pb::ServiceClass::Unspecified) | Err(_) => {
                let rule = Rule::new("must be SERVICE_CLASS_NORMAL or SERVICE_CLASS_RESIDENTIAL");
                violations.push(format!("feature.service_classes[{index}]"), rule);
                return None;
            }
        });
    }
    violations.check("feature.service_classes", ServiceClasses::new(classes))
}

/// The feature of an answer.
fn feature_of(answer: &Answer) -> Result<pb::Feature> {
    if let Answer::Feature { feature } = answer { Ok(feature_out(feature)) } else { Err(other_answer()) }
}

fn feature_out(feature: &Feature) -> pb::Feature {
    pb::Feature {
        code: feature.code.as_str().to_owned(),
        name: feature.name.as_str().to_owned(),
        chargeable: feature.chargeable,
        service_classes: feature.service_classes.as_slice().iter().map(|class| service_class(*class).into()).collect(),
        retired: feature.retired,
        create_time: Some(time_out(feature.created_at)),
    }
}
