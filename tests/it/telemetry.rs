//! x
mod collector;
mod outages;
mod scrape;
mod traces;
