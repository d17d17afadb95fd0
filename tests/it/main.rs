mod commands;
mod dev;
mod embedded;
mod processes;
