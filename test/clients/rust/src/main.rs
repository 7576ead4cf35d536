//! Drives the crate ory-client 1.22.43 from crates.io. Takes the server's URL and a bearer token as arguments; each line of standard
//! input names a function of `api_keys_api` and its arguments as JSON, and is answered by one line of what the crate made of the response.

use std::io::{self, BufRead, Write};

use ory_client::apis::{api_keys_api as api, configuration::Configuration, Error};
use serde::{de::DeserializeOwned, Serialize};
use serde_json::{json, Value};

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut configuration = Configuration::new();
    configuration.base_path = arguments.next().expect("the server's URL");
    configuration.bearer_access_token = arguments.next();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for line in io::stdin().lock().lines() {
        let request: Value = serde_json::from_str(&line?)?;
        let answer = runtime.block_on(call(&configuration, &request));
        writeln!(io::stdout(), "{answer}")?;
    }
    Ok(())
}

async fn call(c: &Configuration, request: &Value) -> Value {
    let text = |name: &str| request[name].as_str();
    let key_id = text("key_id").unwrap_or_default();
    let update_mask = text("update_mask");
    let cache_control = text("cache_control");
    let page_size = request["page_size"].as_i64().map(|size| size as i32);
    let (page_token, filter) = (text("page_token"), text("filter"));
    match text("function").unwrap_or_default() {
        "admin_batch_import_api_keys" => answer(api::admin_batch_import_api_keys(c, body(request)).await),
        "admin_batch_verify_api_keys" => answer(api::admin_batch_verify_api_keys(c, body(request), cache_control, None).await),
        "admin_delete_imported_api_key" => answer(api::admin_delete_imported_api_key(c, key_id).await),
        "admin_derive_token" => answer(api::admin_derive_token(c, body(request)).await),
        "admin_get_imported_api_key" => answer(api::admin_get_imported_api_key(c, key_id).await),
        "admin_get_issued_api_key" => answer(api::admin_get_issued_api_key(c, key_id).await),
        "admin_import_api_key" => answer(api::admin_import_api_key(c, body(request)).await),
        "admin_issue_api_key" => answer(api::admin_issue_api_key(c, body(request)).await),
        "admin_list_imported_api_keys" => answer(api::admin_list_imported_api_keys(c, page_size, page_token, filter).await),
        "admin_list_issued_api_keys" => answer(api::admin_list_issued_api_keys(c, page_size, page_token, filter).await),
        "admin_revoke_api_key" => answer(api::admin_revoke_api_key(c, key_id, body(request)).await),
        "admin_rotate_issued_api_key" => answer(api::admin_rotate_issued_api_key(c, key_id, body(request)).await),
        "admin_update_imported_api_key" => answer(api::admin_update_imported_api_key(c, key_id, body(request), update_mask).await),
        "admin_update_issued_api_key" => answer(api::admin_update_issued_api_key(c, key_id, body(request), update_mask).await),
        "admin_verify_api_key" => answer(api::admin_verify_api_key(c, body(request), cache_control, None).await),
        "get_jwks" => answer(api::get_jwks(c).await),
        "revoke_api_key" => answer(api::revoke_api_key(c, body(request)).await),
        other => json!({ "client_error": format!("there is no function {other}") }),
    }
}

/// The body as the crate's own model.
fn body<T: DeserializeOwned>(request: &Value) -> T {
    serde_json::from_value(request["body"].clone()).expect("a body that the model takes")
}

fn answer<T: Serialize, E>(result: Result<T, Error<E>>) -> Value {
    match result {
        Ok(response) => json!({ "ok": response }),
        Err(Error::ResponseError(error)) => json!({ "status": error.status.as_u16(), "content": error.content }),
        Err(error) => json!({ "client_error": error.to_string() }),
    }
}
